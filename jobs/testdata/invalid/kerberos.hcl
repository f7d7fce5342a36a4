# want kerberos.hcl:18,3: Clear text: KPOP protects the login only: everyone on the way can read the mail, and change it. If that is truly wanted, say allow_cleartext = true.
# want kerberos.hcl:18,3: Missing kerberos block: KPOP needs Kerberos: add kerberos { } for the tickets that kinit got, or name principal and keytab in it.
# want kerberos.hcl:19,16: Wrong server: kpop:// stands in a source "kpop", and pop:// and pops:// in a source "pop3".
# want kerberos.hcl:20,16: Not for KPOP: There is no KPOP over TLS. Leave tls out, and say allow_cleartext = true.
# want kerberos.hcl:21,16: Not for KPOP: KPOP logs in by a Kerberos ticket and by nothing else. Leave auth out.
# want kerberos.hcl:22,16: Not for KPOP: A KPOP server is never sent a password. That of the Kerberos principal stands in the kerberos block.
# want kerberos.hcl:31,19: Contradiction: Tickets come from one of keytab, ccache and password; here are keytab and ccache.
# want kerberos.hcl:38,5: Missing principal: A password needs principal = "name@REALM" beside it.
# want kerberos.hcl:48,19: One cache, many principals: A credential cache holds the tickets of one principal. Use a keytab; or leave ccache out, and each account logs in by its own password.
# want kerberos.hcl:58,19: One password, many principals: Leave password out, and each account logs in by its own.
# want kerberos.hcl:65,5: Unusable Kerberos login: Open credential cache "KEYRING:persistent:0": only caches in a file can be read, not those of kind "KEYRING". Write one with kinit -c FILE:/some/path PRINCIPAL and say ccache = "FILE:/some/path", or use a keytab.
# want kerberos.hcl:74,5: Unusable Kerberos login: Read keytab "testdata/invalid/gone.keytab": no such file or directory. Name a keytab that this user may read.
# want kerberos.hcl:84,5: Kerberos unused: auth leaves GSSAPI out, so that nobody looks at tickets. Say auth = "gssapi", or leave this block out.
# want kerberos.hcl:91,14: Missing kerberos block: GSSAPI needs Kerberos: add kerberos { } for the tickets that kinit got, or name principal and keytab in it.
# want kerberos.hcl:95,14: Wrong server: kpop:// stands in a source "kpop", and pop:// and pops:// in a source "pop3".
job "a" {
  account "x" {}
  source "kpop" {
    server   = "pop://kpop.example.edu"
    tls      = "implicit"
    auth     = "plain"
    password = env("X")
  }
  source "kpop" {
    name            = "both"
    server          = "kpop.example.edu"
    allow_cleartext = true
    kerberos {
      principal = "migrate@EXAMPLE.EDU"
      keytab    = "migrate.keytab"
      ccache    = "FILE:migrate.cc"
    }
  }
  source "kpop" {
    name            = "who"
    server          = "kpop.example.edu"
    allow_cleartext = true
    kerberos {
      password  = env("X")
      krb5_conf = "krb5.conf"
    }
  }
  source "kpop" {
    name            = "many"
    server          = "kpop.example.edu"
    allow_cleartext = true
    kerberos {
      principal = "${account.user}@EXAMPLE.EDU"
      ccache    = "migrate.cc"
    }
  }
  source "kpop" {
    name            = "same"
    server          = "kpop.example.edu"
    allow_cleartext = true
    kerberos {
      principal = "${account.user}@EXAMPLE.EDU"
      password  = env("X")
    }
  }
  source "kpop" {
    name            = "ring"
    server          = "kpop.example.edu"
    allow_cleartext = true
    kerberos {
      ccache    = "KEYRING:persistent:0"
      krb5_conf = "krb5.conf"
    }
  }
  source "kpop" {
    name            = "gone"
    server          = "kpop.example.edu"
    allow_cleartext = true
    kerberos {
      principal = "migrate"
      keytab    = "gone.keytab"
      krb5_conf = "krb5.conf"
    }
  }
  source "pop3" {
    name   = "unused"
    server = "pop.example.net"
    auth   = "plain"
    kerberos {
      krb5_conf = "krb5.conf"
    }
  }
  source "pop3" {
    name   = "missing"
    server = "pop.example.net"
    auth   = "gssapi"
  }
  source "pop3" {
    name   = "url"
    server = "kpop://kpop.example.edu"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
