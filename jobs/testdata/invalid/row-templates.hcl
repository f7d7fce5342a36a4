# want row-templates.hcl:10,17: Password in a template: A password never becomes part of a name, a path or an address.
# want row-templates.hcl:13,16: Unknown column: The account list has the columns "user", "Dept".
# want row-templates.hcl:17,17: Password in a template: A password never becomes part of a name, a path or an address.
job "a" {
  accounts {
    csv = "row-templates.csv"
  }
  source "pop3" {
    server = "pop.example.net"
    login  = "${row["password"]}"
  }
  sink "mbox" "b" {
    dir = "b/${row["dept"]}"
  }
  sink "smtp" "e" {
    server    = "mx.example.org:25"
    recipient = row["Old Password"]
  }
}
