#!/bin/sh
# Runs once, on an empty volume: one role and its own databases for us, one for the engine, and no way across.
set -eu

: "${DATABASE_PASSWORD:?}" "${ENGINE_DATABASE_PASSWORD:?}"

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set ours="$DATABASE_PASSWORD" --set engines="$ENGINE_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE baobei LOGIN PASSWORD :'ours';
CREATE ROLE temporal LOGIN PASSWORD :'engines';
CREATE DATABASE baobei OWNER baobei;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT, TEMPORARY ON DATABASE baobei, temporal, temporal_visibility, postgres FROM PUBLIC;
SQL
