# want places.csv:2,1: name: Path too long: In sink "archive" the name of a directory would have 256 octets;
# want places.csv:3,5: target: Wrong recipient: For sink "new" this account has no recipient, or none that is
# want places.csv:4,5: target: Wrong recipient: For sink "new" this account has no recipient, or none that is
# want places.hcl:31,3: A second accounts block: accounts stands at line 28 already.
# want places.hcl:36,14: Wrong login: The login of the account at
# want places.hcl:36,14: Wrong login: The login of the account at
# want places.hcl:43,17: Wrong value: recipient is a string, such as "${account.user}".
# want places.hcl:52,14: Wrong login: The login of the account at
# want places.hcl:55,11: Wrong value: dir is a string in quotes.
# want places.hcl:57,3: Missing dir: This block needs the attribute dir.
# want places.hcl:60,17: Unreadable certificates: open
job "a" {
  accounts {
    csv = "places.csv"
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
  sink "smtp" "new" {
    server    = "mx.example.org:25"
    recipient = account.target
  }
}
job "b" {
  accounts {
    csv = "places.csv"
  }
  accounts {
    csv = "places.csv"
  }
  source "pop3" {
    server = "pop.example.net"
    login  = "${row["Login"]}"
  }
  sink "mbox" "archive" {
    dir = account.target
  }
  sink "smtp" "new" {
    server    = "mx.example.org:25"
    recipient = [account.user]
  }
}
job "c" {
  account "q" {
    password = env("X")
  }
  source "pop3" {
    server = "pop.example.net"
    login  = ""
  }
  sink "maildir" "m" {
    dir = 7
  }
  sink "maildir" "n" {}
  sink "smtp" "o" {
    server    = "mx.example.org:25"
    tls_ca    = "no-such.pem"
    recipient = "two words"
  }
}
