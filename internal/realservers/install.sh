#!/usr/bin/env bash
# Installs the servers that the tests in internal/realservers start. Debian's
# POP3 packages exclude each other, so some are only unpacked, beside the
# system. Needs root; with Maven it fetches the servers that are Java programs.
set -euo pipefail
to=${POPMIGRATE_SERVERS:-/opt/realservers}
here=$(cd "$(dirname "$0")" && pwd)
export DEBIAN_FRONTEND=noninteractive

installed=(dovecot-core dovecot-pop3d dovecot-lmtpd postfix mutt zstd python3
  mailutils-pop3d nginx-core libnginx-mod-mail perdition
  courier-base courier-authlib courier-authlib-userdb
  cyrus-common libsasl2-modules sasl2-bin
  liblockfile1 libidn12 libcourier-unicode4 openssl
  krb5-kdc krb5-admin-server krb5-user dovecot-gssapi libkrb5-dev gcc libc6-dev)
unpacked=(courier-pop cyrus-pop3d popa3d solid-pop3d)
greenmail=com.icegreen:greenmail-standalone:2.1.3

missing=()
for package in "${installed[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
absent=()
for package in "${unpacked[@]}"; do
  [ -e "$to/$package/usr" ] || absent+=("$package")
done
if [ ${#missing[@]} -gt 0 ] || [ ${#absent[@]} -gt 0 ]; then
  # Nothing that is installed here starts by itself.
  [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; }
  apt-get update -qq
fi
[ ${#missing[@]} -eq 0 ] || apt-get install -y -qq --no-install-recommends "${missing[@]}"

mkdir -p "$to"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in "${absent[@]}"; do
  apt-get -qq -o APT::Sandbox::User=root download "$package"
  dpkg-deb -x "$package"_*.deb "$work/$package"
  chmod 755 "$work/$package"
  mv "$work/$package" "$to/"
done

if [ ! -e "$to/greenmail.jar" ]; then
  if command -v mvn >/dev/null && command -v java >/dev/null; then
    mvn -q -B dependency:copy -Dartifact="$greenmail" -DoutputDirectory="$work" -Dmdep.stripVersion=true
    mv "$work/greenmail-standalone.jar" "$to/greenmail.jar"
  else
    echo "no mvn or no java here: GreenMail is left out" >&2
  fi
fi
if [ ! -e "$to/james/lib" ]; then
  if command -v mvn >/dev/null && command -v java >/dev/null; then
    mvn -q -B -f "$here/james/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work/james/lib"
    mv "$work/james" "$to/"
  else
    echo "no mvn or no java here: Apache James is left out" >&2
  fi
fi
