# want templates.hcl:13,17: Password in a template: A password never becomes part of a name, a path or an address.
# want templates.hcl:16,16: Unknown value: Of an account there are account.name, account.user, account.local,
# want templates.hcl:19,16: No account list: row["…"] is a column of the list that accounts { csv = … } names; this
# want templates.hcl:22,16: Unknown value: Templates know account.name, user, local, domain, server, target and
# want templates.hcl:25,16: Function calls not allowed: Functions may not be called here.
# want templates.hcl:29,17: Unknown value: Of an account there are account.name, account.user, account.local,
job "a" {
  account "x" {
    password = env("X")
  }
  source "pop3" {
    server = "pop.example.net"
    login  = "${account.password}"
  }
  sink "mbox" "a" {
    dir = "a/${account.nmae}"
  }
  sink "mbox" "b" {
    dir = "b/${row["Dept"]}"
  }
  sink "mbox" "c" {
    dir = "c/${user}"
  }
  sink "mbox" "d" {
    dir = "d/${upper(account.name)}"
  }
  sink "smtp" "e" {
    server    = "mx.example.org:25"
    recipient = account
  }
}
