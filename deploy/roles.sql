-- The roles and the database, for psql as an administrator of PostgreSQL. The tables are made by `supportaccess store
-- migrate`, as the owner; the server signs in as a role that owns nothing.
\set ON_ERROR_STOP on
\set owner_password `cat /run/secrets/owner-password`
\set server_password `cat /run/secrets/server-password`
SELECT '' IN (:'owner_password', :'server_password') AS missing \gset
\if :missing
    DO $$ BEGIN RAISE 'a password is missing in /run/secrets'; END $$;
\endif

CREATE ROLE supportaccess_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE supportaccess_server LOGIN PASSWORD :'server_password';
CREATE DATABASE supportaccess OWNER supportaccess_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE supportaccess FROM PUBLIC;
GRANT CONNECT ON DATABASE supportaccess TO supportaccess_server;
