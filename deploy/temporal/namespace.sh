#!/bin/sh
# The namespace and what operators can filter by. Doing it again changes nothing; a retention set by hand stays.
set -eu

attempt=0
until temporal operator cluster health; do
  attempt=$((attempt + 1))
  [ "$attempt" -lt 30 ] || exit 1
  sleep 2
done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 90d

# A new namespace takes some seconds to be known everywhere in the engine.
attempt=0
until temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
  --name Stage --type Keyword \
  --name WaitingFor --type KeywordList \
  --name DueAt --type Datetime \
  --name Department --type Keyword \
  --name Applicant --type Keyword \
  --name LastUpdateAt --type Datetime; do
  attempt=$((attempt + 1))
  [ "$attempt" -lt 15 ] || exit 1
  sleep 2
done
