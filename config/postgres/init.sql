-- Once, as the server's superuser, while connected to any database:
--   psql -v ON_ERROR_STOP=1 -f init.sql
-- The role's password is set by whoever runs the server: \password lineal. In compose.yml it has
-- none, since it comes by the socket.

-- Neither right: row-level security binds no superuser, and nobody with BYPASSRLS.
CREATE ROLE lineal LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;

-- It owns its database, so that it can make its schema there. Words are compared by their bytes.
CREATE DATABASE lineal OWNER lineal ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0;
REVOKE ALL ON DATABASE lineal FROM PUBLIC;

\connect lineal
-- Making it takes a superuser; using it doesn't.
CREATE EXTENSION IF NOT EXISTS vector;
