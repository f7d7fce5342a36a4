# want later.hcl:11,14: Not supported yet: Presets are not supported yet by this version.
# want later.hcl:12,5: Not supported yet: oauth2 logins are not supported yet by this version.
# want later.hcl:16,3: Not supported yet: Sources of kind "pop2" are not supported yet by this version.
# want later.hcl:22,14: Not supported yet: Presets are not supported yet by this version.
job "a" {
  account "x" {
    source = "campus"
  }
  account "y" {}
  source "pop3" {
    preset = "microsoft"
    oauth2 {
      grant = "device_code"
    }
  }
  source "pop2" {
    name   = "campus"
    server = "old.example.edu"
  }
  source "pop3" {
    name   = "m365"
    preset = "microsoft"
  }
  sink "mbox" "archive" {
    dir = "archive"
  }
}
