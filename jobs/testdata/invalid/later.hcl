# want later.hcl:11,3: Not supported yet: Sources of kind "kpop" are not supported yet by this version.
# want later.hcl:21,5: Not supported yet: kerberos logins are not supported yet by this version.
job "a" {
  account "x" {
    source = "campus"
  }
  account "y" {
    password = "x"
  }
  source "pop3" { server = "pop.example.net" }
  source "kpop" {
    name            = "campus"
    server          = "kpop.example.edu"
    allow_cleartext = true
    kerberos {
      principal = "migrate@EXAMPLE.EDU"
    }
  }
  source "pop3" {
    name   = "gss"
    kerberos {
      principal = "migrate@EXAMPLE.EDU"
    }
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
