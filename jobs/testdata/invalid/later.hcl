# want later.hcl:8,3: Not supported yet: Sources of kind "pop2" are not supported yet by this version.
job "a" {
  account "x" {
    source   = "campus"
    password = "x"
  }
  source "pop3" { server = "pop.example.net" }
  source "pop2" {
    name   = "campus"
    server = "old.example.edu"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
