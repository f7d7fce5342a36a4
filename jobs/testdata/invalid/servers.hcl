# want servers.hcl:12,16: Unknown source: No source of this job has the name "nowhere".
# want servers.hcl:16,16: Wrong server: The port after the colon is missing.
# want servers.hcl:18,3: Missing server: Neither the account nor its source names a server.
# want servers.hcl:24,14: Wrong server: A password in a URL ends up in shell histories and process lists; leave it
# want servers.hcl:28,14: User in a source: Here a URL names the server only; users stand in account blocks or in
# want servers.hcl:30,3: Two sources of one name: The source at line 26 has the name "v" too.
# want servers.hcl:33,14: Contradiction: pops:// means tls = "implicit".
job "a" {
  account "x" {
    password = env("X")
    server   = "pop://pop.example.net"
    source   = "nowhere"
  }
  account "y" {
    password = env("X")
    server   = "pop.example.net:"
  }
  account "z" {
    password = env("X")
  }
  source "pop3" {}
  source "pop3" {
    name   = "u"
    server = "pop://alice:s3cret@pop.example.net"
  }
  source "pop3" {
    name   = "v"
    server = "pop://alice@pop.example.net"
  }
  source "pop3" {
    name   = "v"
    server = "pops://pop.example.net"
    tls    = "starttls"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
