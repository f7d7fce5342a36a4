package layout

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	root         = "../.."
	rfcPage      = root + "/docs/rfc.md"
	requirements = 215
)

var (
	rfcRow     = regexp.MustCompile(`^\| (R\d{3}) \| ([^|]+) \| ([^|]+) \|$`)
	rfcFigures = regexp.MustCompile(`(\d+) of (\d+) are shown, (\d+) of them but for a detail`)
	inCode     = regexp.MustCompile("`([^`]*)`")
	testName   = regexp.MustCompile(`^(.+)\.((?:Test|Fuzz)\w+)(?:/(.+))?$`)
	anyTitle   = regexp.MustCompile(`(?m)^== ((?:[^:\n]*: )?(.*))$`)
)

// namesFrom says where the names of a package's subtests come from, if not
// from its own tests.
var namesFrom = map[string]string{"internal/personalities": "pop3/pop3test"}

// TestRFCPage holds docs/rfc.md to what there is: each requirement has one
// row, each row names tests that exist or says why there is none, and the
// figures of the introduction are those of the table.
func TestRFCPage(t *testing.T) {
	text, err := os.ReadFile(rfcPage)
	if err != nil {
		t.Fatal(err)
	}
	next, shown, details := 1, 0, 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "| R") {
			continue
		}
		row := rfcRow.FindStringSubmatch(line)
		if row == nil {
			t.Errorf("no row of three cells: %s", line)
			continue
		}
		if want := fmt.Sprintf("R%03d", next); row[1] != want {
			t.Errorf("%s stands where %s is due", row[1], want)
		}
		next++
		proof, why, isNot := strings.Cut(row[3], "**not done**:")
		names := inCode.FindAllStringSubmatch(proof, -1)
		switch {
		case isNot && (strings.TrimSpace(why) == "" || strings.TrimSpace(proof) != ""):
			t.Errorf("%s is not done, and tests show it, or it says no reason", row[1])
		case !isNot && len(names) == 0:
			t.Errorf("%s names no test and does not say that it is not done", row[1])
		case !isNot:
			shown++
			if _, detail, found := strings.Cut(row[3], "; but "); found {
				details++
				if strings.TrimSpace(detail) == "" {
					t.Errorf("%s does not say which detail", row[1])
				}
			}
		}
		for _, name := range inCode.FindAllStringSubmatch(row[3], -1) {
			if problem := noTest(name[1]); problem != "" {
				t.Errorf("%s: %s: %s", row[1], name[1], problem)
			}
		}
	}
	if next != requirements+1 {
		t.Errorf("%d rows, want %d", next-1, requirements)
	}
	figures := fmt.Sprintf("%d of %d are shown, %d of them but for a detail", shown, requirements, details)
	if said := rfcFigures.FindString(string(text)); said != figures {
		t.Errorf("the introduction says %q, the table %q", said, figures)
	}
}

// noTest says what is wrong with the name of a test, "" where nothing is.
func noTest(name string) string {
	if strings.Contains(name, "/testdata/script/") {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			return err.Error()
		}
		return ""
	}
	parts := testName.FindStringSubmatch(name)
	if parts == nil {
		return "neither a test nor a script"
	}
	sources, err := sourcesOf(parts[1])
	switch {
	case err != nil:
		return err.Error()
	case !strings.Contains(sources.tests, "\nfunc "+parts[2]+"("):
		return "there is no such function"
	case parts[3] == "":
		return ""
	}
	if file, _, nested := strings.Cut(parts[3], "/"); nested && sources.dialogues[file] {
		if !sources.names[parts[3]] {
			return "there is no such dialogue"
		}
		return ""
	}
	for part := range strings.SplitSeq(parts[3], "/") {
		if !sources.names[part] && !strings.Contains(sources.tests, strconv.Quote(part)) {
			return "nothing is called " + strconv.Quote(part)
		}
	}
	return ""
}

// sources are what the names of a package's tests and subtests come from.
type sources struct {
	tests     string
	names     map[string]bool // of files in testdata, and of the dialogues in them, also behind their file's
	dialogues map[string]bool // files that hold some
}

var read = map[string]*sources{}

func sourcesOf(dir string) (*sources, error) {
	if s := read[dir]; s != nil {
		return s, nil
	}
	s := &sources{names: map[string]bool{}, dialogues: map[string]bool{}}
	paths, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no tests in %q", dir)
	}
	if other := namesFrom[dir]; other != "" {
		more, err := filepath.Glob(filepath.Join(root, other, "personality_*.go"))
		if err != nil || len(more) == 0 {
			return nil, fmt.Errorf("no personalities in %q", other)
		}
		paths = append(paths, more...)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		s.tests += "\n" + string(text)
	}
	err = filepath.WalkDir(filepath.Join(root, dir, "testdata"), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err):
			return nil
		case err != nil:
			return err
		case entry.Name() == "fuzz":
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		stem := strings.TrimSuffix(entry.Name(), filepath.Ext(path))
		s.names[entry.Name()], s.names[stem] = true, true
		if filepath.Ext(path) != ".txt" {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, title := range anyTitle.FindAllStringSubmatch(string(text), -1) {
			s.names[title[1]], s.names[title[2]], s.names[stem+"/"+title[2]] = true, true, true
			s.dialogues[stem] = true
		}
		return err
	})
	read[dir] = s
	return s, err
}
