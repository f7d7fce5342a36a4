// Package kerberos logs in to POP3 servers by Kerberos V5 (RFC 4120): by KPOP,
// which is the library exchange "sendauth" before the greeting, and by the SASL
// mechanism GSSAPI (RFC 4752).
//
// A [Client] stands for one principal. It gets tickets by keytab, password or
// credential cache, keeps them, and serves any number of sessions at once. In
// both exchanges the server has to prove that it holds the key of its service;
// there is no way to switch that off.
//
// This package alone imports a Kerberos library. The library gives the message
// formats and the cryptography; talking to the KDC, reading krb5.conf and
// credential caches is done here, because the library's own ways of doing that
// panic, block or start goroutines that nobody can stop. Whatever the library
// panics on is returned as an error.
package kerberos
