job "demo" {
  source "demo" {}
  sink "maildir" "mail" {
    dir = "mail/${account.user}"
  }
  delete = "verified"
}
job "some" {
  account "alice" {}
  account "prudent" {
    user = "bob"
    hold = true
  }
  source "demo" {
    pipelining = "off"
  }
  sink "mbox" "some" {
    dir         = "some"
    compression = "none"
  }
}
