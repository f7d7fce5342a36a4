# want block-row.hcl:13,11: No row: The account at
job "a" {
  accounts {
    csv = "row-templates.csv"
  }
  account "y" {
    password = env("Y")
  }
  source "pop3" {
    server = "pop.example.net"
  }
  sink "mbox" "b" {
    dir = "b/${row["Dept"]}/${account.name}"
  }
}
