package jobs

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"popmigrate/pop3/pop3test"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata/valid")

// secretText occurs in every secret of the test data.
const secretText = "s3cret"

// testEnv is a system on which every environment variable is set, every
// secret file exists, and only files whose name says so can be read by others.
func testEnv(t testing.TB) Env {
	certificate := authority(t)
	extra := func(path string) []byte {
		switch {
		case strings.HasSuffix(path, "ca.pem"):
			return certificate
		case strings.HasSuffix(path, ".secret"):
			return []byte(secretText + "-file\n")
		case strings.HasSuffix(path, "mover.pem"), strings.HasSuffix(path, "mover.key"):
			return clientPEM(t)
		}
		return nil
	}
	return Env{
		Getenv: func(name string) string {
			if strings.HasPrefix(name, "UNSET") {
				return ""
			}
			return secretText + "-" + name
		},
		ReadFile: func(path string) ([]byte, error) {
			if data := extra(path); data != nil {
				return data, nil
			}
			return os.ReadFile(path)
		},
		Stat: func(path string) (fs.FileInfo, error) {
			mode := fs.FileMode(0o600)
			if strings.Contains(path, "readable") {
				mode = 0o644
			}
			if extra(path) == nil {
				if _, err := os.Stat(path); err != nil {
					return nil, err
				}
			}
			return fileInfo{filepath.Base(path), mode}, nil
		},
		Command: func(_ context.Context, argv []string) ([]byte, error) {
			return []byte(secretText + "-" + argv[0] + "\r\n"), nil
		},
	}
}

type fileInfo struct {
	name string
	mode fs.FileMode
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return 0 }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

var authorityPEM []byte

// authority returns a certificate in PEM.
func authority(t testing.TB) []byte {
	if authorityPEM == nil {
		server := pop3test.NewServer(pop3test.Config{})
		authorityPEM = server.CertPEM()
		server.Close()
		block, _ := pem.Decode(authorityPEM)
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	return authorityPEM
}

// clientPEM returns a client certificate and its key in PEM.
var clientPEM = func() func(t testing.TB) []byte {
	make := sync.OnceValues(func() ([]byte, error) {
		server := pop3test.NewServer(pop3test.Config{})
		defer server.Close()
		certificate, err := server.ClientCertificate("mover")
		if err != nil {
			return nil, err
		}
		key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
		return append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...), err
	})
	return func(t testing.TB) []byte {
		t.Helper()
		text, err := make()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}()

// describe returns everything of a file that people may get to see.
func describe(t testing.TB, file *File) string {
	t.Helper()
	var b bytes.Buffer
	for _, job := range file.Jobs {
		if err := job.Describe(&b, -1); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestValid(t *testing.T) {
	paths, _ := filepath.Glob("testdata/valid/*.hcl")
	if len(paths) < 4 {
		t.Fatalf("found %d files", len(paths))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			file, err := Load(path, testEnv(t))
			if err != nil {
				t.Fatal(err)
			}
			defer file.close()
			got := filepath.ToSlash(describe(t, file))
			golden := strings.TrimSuffix(path, ".hcl") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			noSecret(t, "Describe", got)
			noSecret(t, "%+v", fmt.Sprintf("%+v", file.Jobs))
			for _, job := range file.Jobs {
				noSecret(t, "Warnings", strings.Join(job.Warnings, "\n"))
				noSecret(t, "accounts", fmt.Sprintf("%+v", job.Job.Accounts))
				noSecret(t, "entries", fmt.Sprintf("%+v", job.entries))
			}
		})
	}
}

func noSecret(t *testing.T, what, text string) {
	t.Helper()
	if strings.Contains(text, secretText) {
		t.Errorf("%s shows a secret:\n%s", what, text)
	}
}

var wantLine = regexp.MustCompile(`(?m)^# want (\S+?):(\d+),(\d+): (.*)$`)

// TestInvalid loads each file and compares the problems with those that its
// comments announce: # want file:line,column: part of the text
func TestInvalid(t *testing.T) {
	paths, _ := filepath.Glob("testdata/invalid/*.hcl")
	if len(paths) < 10 {
		t.Fatalf("found %d files", len(paths))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Load(path, testEnv(t))
			var problems *Diagnostics
			if !errors.As(err, &problems) {
				t.Fatalf("error is %v", err)
			}
			noSecret(t, "Error", problems.Error())
			var full bytes.Buffer
			if n, err := problems.WriteTo(&full); err != nil || n != int64(full.Len()) {
				t.Errorf("WriteTo: %d, %v", n, err)
			}
			noSecret(t, "WriteTo", full.String())
			left := strings.Split(problems.Error(), "\n")
			for _, want := range wantLine.FindAllStringSubmatch(string(src), -1) {
				place := fmt.Sprintf("%s:%s,%s: ", filepath.Join("testdata/invalid", want[1]), want[2], want[3])
				found := -1
				for i, line := range left {
					if strings.HasPrefix(line, place) && strings.Contains(line, want[4]) {
						found = i
						break
					}
				}
				if found < 0 {
					t.Errorf("missing: %s%s", place, want[4])
					continue
				}
				left = append(left[:found], left[found+1:]...)
			}
			for _, line := range left {
				t.Errorf("not announced: %s", line)
			}
		})
	}
}
