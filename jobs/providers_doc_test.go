package jobs

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"popmigrate/internal/profiles"
)

// TestProvidersDocument loads every example of docs/providers.md, and looks for
// a word on every preset.
func TestProvidersDocument(t *testing.T) {
	document, err := os.ReadFile("../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	env := testEnv(t)
	env.NoSecrets = true
	examples := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(document), -1)
	if len(examples) < 12 {
		t.Errorf("only %d examples", len(examples))
	}
	for _, example := range examples {
		if strings.HasPrefix(example[1], "profile") {
			if _, err := profiles.Parse("example.hcl", []byte(example[1])); err != nil {
				t.Errorf("%s\n%v", example[1], err)
			}
			continue
		}
		account := `account "x" { password = env("X") }`
		if strings.Contains(example[1], "oauth2 {") {
			account = `account "x" {}`
		}
		src := "job \"d\" {\n" + account + "\n" + example[1] + "\nsink \"mbox\" \"a\" { dir = \"a\" }\n}"
		if _, err := load("example.hcl", []byte(src), env.withDefaults(), nil); err != nil {
			t.Errorf("%s\n%v", example[1], err)
		}
	}
	for _, name := range profiles.Default().Presets() {
		if !strings.Contains(string(document), "`"+name+"`") {
			t.Errorf("no word on %s", name)
		}
	}
}
