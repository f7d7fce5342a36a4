# want demo.hcl:14,5: Unsupported argument: An argument named "server" is not expected here.
# want demo.hcl:25,12: Unknown demo maildrop: The demo server has alice, bob, empty, legal.
# want demo.hcl:29,14: Server in a demo: The demo has no other server.
# want demo.hcl:32,3: Unnamed source: Each source but the first needs a name, which accounts then choose.
job "a" {
  account "x" {
    user = "nobody"
  }
  account "y" {
    user   = "alice"
    server = "pop.example.net"
  }
  source "demo" {
    server = "x"
  }
  source "demo" {
    name = "d"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
job "b" {
  account "x" {
    user = "nobody"
  }
  account "y" {
    user   = "alice"
    server = "pop.example.net"
  }
  source "demo" {}
  source "demo" {}
  sink "maildir" "archive" {
    dir = "mail"
  }
}
