package jobs

import (
	"encoding/csv"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"popmigrate/migrate"
)

// onlyValues fits templates of values and letters; one without values gets the
// account's name as a further element.
var onlyValues = regexp.MustCompile(`^([a-z]*\$\{(account\.[a-z]+|row\["Note"\])\})+[a-z]*$`)

// FuzzTemplate evaluates an arbitrary template for an account of an arbitrary
// name: what stands in ${…} of a path is one element of it at the most, and no
// secret gets into one.
func FuzzTemplate(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, name, column string) {
		const secret = "s3cret-Password"
		if strings.Contains(text+name+column, "s3cret") {
			return
		}
		var list strings.Builder
		w := csv.NewWriter(&list)
		w.WriteAll([][]string{{"name", "user", "password", "Note"}, {name, name, secret, column}})
		env := testEnv(t)
		env.ReadFile = func(path string) ([]byte, error) {
			if path == "list.csv" {
				return []byte(list.String()), nil
			}
			return nil, fs.ErrNotExist
		}
		env.Stat = func(path string) (fs.FileInfo, error) { return fileInfo{path, 0o600}, nil }
		job := `job "l" {
  accounts { csv = "list.csv" }
  source "pop3" {
    server = "pop.example.net"
    login  = "u` + text + `"
  }
  sink "mbox" "archive" { dir = "archive/x` + text + `y" }
}`
		file, err := load("test.hcl", []byte(job), env.withDefaults(), nil)
		if err != nil {
			checkProblems(t, err)
			if strings.Contains(err.Error(), secret) {
				t.Errorf("shows the password: %v", err)
			}
			return
		}
		defer file.close()
		for _, account := range file.Jobs[0].Job.Accounts {
			if login := account.Connector.(*migrate.POP3Source).Login.User; login == "" || hasControl(login) || strings.Contains(login, secret) {
				t.Errorf("login %q", login)
			}
		}
		for _, e := range file.Jobs[0].entries {
			if strings.Contains(e.places[0], secret) {
				t.Errorf("%q is kept in %q", e.row.name, e.places[0])
			}
			// What the job file's author writes may climb; a value may not.
			if onlyValues.MatchString(text) && filepath.Dir(e.places[0]) != "archive" {
				t.Errorf("%q is kept in %q", e.row.name, e.places[0])
			}
		}
	})
}
