"""Who a caller is and what they may do, from the tokens that they bring."""
