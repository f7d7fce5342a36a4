package jobs

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"popmigrate/migrate"
)

// listJob is a job whose accounts stand in list.csv.
const listJob = `job "l" {
  accounts { csv = "list.csv" }
  source "pop3" { server = "pop.example.net" }
  sink "mbox" "archive" { dir = "archive" }
}`

// loadList loads listJob with a list of this content.
func loadList(t testing.TB, list string) (*File, error) {
	env := testEnv(t)
	env.ReadFile = func(path string) ([]byte, error) {
		if path == "list.csv" {
			return []byte(list), nil
		}
		return nil, fs.ErrNotExist
	}
	env.Stat = func(path string) (fs.FileInfo, error) { return fileInfo{path, 0o600}, nil }
	return load("test.hcl", []byte(listJob), env.withDefaults(), nil)
}

func TestListForms(t *testing.T) {
	for name, list := range map[string]string{
		"comma":     "user,password,Note\nalice, s3cret ,x\n",
		"semicolon": "user;password;Note\nalice; s3cret ;x\n",
		"tab":       "user\tpassword\tNote\nalice\t s3cret \tx\n",
		"crlf":      "user,password,Note\r\nalice, s3cret ,x\r\n",
		"bom":       "\ufeffuser,password,Note\nalice, s3cret ,x",
		"quoted":    "\"User\",\"Password\",\"Note\"\n\"alice\",\" s3cret \",\"x\"\n",
		"blank":     "\nuser,password,Note\n\n\nalice, s3cret ,x\n\n",
		"padded":    " User , Password ,Note\n alice , s3cret ,x\n",
		"delimiter": "user,password,\"Note\"\nalice, s3cret ,x\n",
	} {
		t.Run(name, func(t *testing.T) {
			file, err := loadList(t, list)
			if err != nil {
				t.Fatal(err)
			}
			account := file.Jobs[0].Job.Accounts[0]
			if account.User != "alice" || account.Name != "alice@pop.example.net" || account.Host != "pop.example.net" {
				t.Errorf("got %+v", account)
			}
			if got, err := account.Connector.(*migrate.POP3Source).Login.Password(t.Context()); got != " s3cret " || err != nil {
				t.Errorf("password %q, %v", got, err)
			}
			if len(account.Fields) != 2 || account.Fields[1] != (migrate.Field{Name: "Note", Value: "x"}) || strings.TrimSpace(account.Fields[0].Value) != "alice" {
				t.Errorf("fields %q", account.Fields)
			}
			warnings := strings.Join(file.Jobs[0].Warnings, "\n")
			if !strings.Contains(warnings, `column "Note"`) || !strings.Contains(warnings, "blank") {
				t.Errorf("warnings %q", warnings)
			}
			noSecret(t, "warnings", warnings)
		})
	}
}

func TestListLines(t *testing.T) {
	file, err := loadList(t, "name,user,password_env,Note\na,a,X,\"one\ntwo\"\n\nb,b,X,\n")
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, account := range file.Jobs[0].Job.Accounts {
		lines = append(lines, account.Line)
	}
	if !slices.Equal(lines, []int{2, 5}) {
		t.Errorf("lines %d", lines)
	}
}

// TestListHidesStraySecrets: a column that looks like a secret goes nowhere.
func TestListHidesStraySecrets(t *testing.T) {
	file, err := loadList(t, "user,password_env,Target Password,id\na,X,s3cret,7\n")
	if err != nil {
		t.Fatal(err)
	}
	job := file.Jobs[0]
	noSecret(t, "fields", fmt.Sprint(job.Job.Accounts[0].Fields))
	if warnings := strings.Join(job.Warnings, "\n"); !strings.Contains(warnings, "Target Password") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestNearColumn(t *testing.T) {
	for header, want := range map[string]string{
		"hlod": "hold", "hld": "hold", "usr": "user", "pasword": "password", "passwrd": "password", "paswrd": "password",
		"sever": "server", "tagret": "target", "nmae": "name", "Passwort": "password", "password_evn": "password_env",
		"note": "", "dept": "", "email": "", "role": "", "date": "", "mailbox": "", "username": "",
	} {
		if got := nearColumn(header); got != want {
			t.Errorf("%s: got %q, want %q", header, got, want)
		}
	}
}

func TestHold(t *testing.T) {
	list := "user,password_env,hold\n"
	words := []string{"yes", "TRUE", "1", "", "no", "False", "0"}
	for i, word := range words {
		list += fmt.Sprintf("u%d,X,%s\n", i, word)
	}
	file, err := loadList(t, list)
	if err != nil {
		t.Fatal(err)
	}
	for i, account := range file.Jobs[0].Job.Accounts {
		if account.Hold != (i < 3) {
			t.Errorf("hold %q: got %v", words[i], account.Hold)
		}
	}
}

func bigList(rows int) string {
	var b strings.Builder
	b.WriteString("name,user,password,server,target,hold,source,Dept,Id\n")
	for i := range rows {
		fmt.Fprintf(&b, "user%d@example.net,user%d,s3cret%d,,user%d@example.org,no,,D%d,%d\n", i, i, i, i, i%17, i)
	}
	return b.String()
}

// TestLargeList bounds the time with a wide margin; the benchmark measures it.
func TestLargeList(t *testing.T) {
	start := time.Now()
	file, err := loadList(t, bigList(10_000))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(file.Jobs[0].Job.Accounts); n != 10_000 {
		t.Errorf("%d accounts", n)
	}
	if elapsed := time.Since(start); elapsed > 5*time.Second {
		t.Errorf("took %v", elapsed)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, rows := range []int{10_000} {
		list := bigList(rows)
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := loadList(b, list); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestProblemsAreBounded: a list that is wrong in every row is no flood.
func TestProblemsAreBounded(t *testing.T) {
	_, err := loadList(t, strings.ReplaceAll(bigList(1000), ",no,", ",perhaps,"))
	if err == nil {
		t.Fatal("loaded")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != shownProblems+1 || lines[shownProblems] != "and 950 more" {
		t.Errorf("%d lines, last %q", len(lines), lines[len(lines)-1])
	}
	var b bytes.Buffer
	if _, err := err.(*Diagnostics).WriteTo(&b); err != nil || strings.Count(b.String(), "Error:") != shownProblems {
		t.Errorf("%v, %d problems written", err, strings.Count(b.String(), "Error:"))
	}
}

func FuzzList(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*/*.csv")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, list string) {
		file, err := loadList(t, list)
		if err != nil {
			checkProblems(t, err)
			return
		}
		names := map[string]bool{}
		for _, account := range file.Jobs[0].Job.Accounts {
			if account.Name == "" || hasControl(account.Name) || names[account.Name] {
				t.Errorf("account %q", account.Name)
			}
			names[account.Name] = true
			login := account.Connector.(*migrate.POP3Source).Login.User
			if login == "" || hasControl(login) {
				t.Errorf("login %q", login)
			}
		}
		for _, e := range file.Jobs[0].entries {
			if filepath.Dir(e.places[0]) != "archive" {
				t.Errorf("%q is kept in %q", e.row.name, e.places[0])
			}
		}
		describe(t, file)
	})
}

// checkProblems checks what holds for all problems whatever the input.
func checkProblems(t *testing.T, err error) {
	t.Helper()
	problems := err.(*Diagnostics)
	for _, p := range problems.problems {
		if p.Subject == nil || p.Subject.Start.Line < 1 {
			t.Errorf("no place: %s", p.line())
		}
		if p.Summary == "" || p.Detail == "" {
			t.Errorf("no words: %+v", p.Diagnostic)
		}
	}
	for line := range strings.SplitSeq(problems.Error(), "\n") {
		if hasControl(line) {
			t.Errorf("control characters in %q", line)
		}
	}
	if err := problems.Text(new(bytes.Buffer), 80, true); err != nil {
		t.Error(err)
	}
}
