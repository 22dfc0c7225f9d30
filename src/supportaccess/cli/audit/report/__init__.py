"""`supportaccess audit report`: a period for an auditor."""
