job "row" {
  accounts {
    csv = "row.csv"
  }
  source "pop3" {
    password = file("master.secret")
    login    = "${account.user}*${row["Master user"]}"
  }
  sink "mbox" "archive" {
    dir = "archive/${row["Dept"]}/${account.name}"
  }
  sink "smtp" "relay" {
    server    = "127.0.0.1:25"
    tls       = "none"
    recipient = row.Address
  }
}
