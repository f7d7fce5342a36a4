# want collisions.csv:3,1: Two accounts on one path: In sink "archive" the accounts "Alice" and "alice"
# want collisions.csv:4,1: name: Two accounts of one name: maildrop "alice" stands at
# want collisions.csv:5,6: user: One maildrop twice: login "alice" at pop.example.net:995 stands at
# want collisions.hcl:25,3: Two accounts on one path: In sink "mail" the accounts "b" and "a"
# want collisions.hcl:49,11: Two sinks in one directory: The sinks "two" and "one" (line 45) would both keep mail in
# want collisions.hcl:52,11: Two sinks in one directory: The sinks "three" and "one" (line 45) would keep mail inside
# want collisions.hcl:55,11: Sink in the state directory: Mail in
# want collisions.hcl:57,3: Two sinks of one name: The sink at line 45 has the name "one" too.
# want collisions.hcl:61,1: Two jobs of one name: The job at line 21 has the name "SHARED" too.
job "a" {
  accounts {
    csv = "collisions.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
job "shared" {
  account "a" {
    password = env("X")
  }
  account "b" {
    password = env("X")
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "maildir" "mail" {
    dir = "mail"
  }
}
job "two-sinks" {
  account "a" {
    password = env("X")
  }
  account "b" {
    password = env("X")
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "one" {
    dir = "box"
  }
  sink "mbox" "two" {
    dir = "./BOX"
  }
  sink "maildir" "three" {
    dir = "box/${account.name}/Maildir"
  }
  sink "mbox" "four" {
    dir = "two-sinks.popmigrate/four"
  }
  sink "mbox" "one" {
    dir = "elsewhere"
  }
}
job "SHARED" {}
