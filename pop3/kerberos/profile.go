package kerberos

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// profile is what krb5.conf files say: values by section and key, those of a
// block { … } with its name in between, as in "realms/EXAMPLE.NET/kdc".
type profile map[string][]string

// Limits on what a krb5.conf may pull in.
const (
	maxIncludes    = 8       // levels
	maxProfileFile = 1 << 20 // octets
)

// readProfile reads a krb5.conf and what it includes, into p. Values that an
// earlier file gave stay first, and the first is the one that counts.
func (p profile) readProfile(path string, level int) error {
	if level > maxIncludes {
		return fmt.Errorf("read %s: includes nest deeper than %d levels", path, maxIncludes)
	}
	text, err := readSmall(path, maxProfileFile)
	if err != nil {
		return err
	}
	parser := profileParser{p: p}
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		directive, argument, _ := strings.Cut(line, " ")
		argument = strings.TrimSpace(argument)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';' || directive == "module":
		case directive == "include" && !strings.HasPrefix(argument, "="):
			err = p.readProfile(argument, level+1)
		case directive == "includedir" && !strings.HasPrefix(argument, "="):
			err = p.readProfiles(argument, level+1)
		default:
			if problem := parser.line(line); problem != "" {
				err = fmt.Errorf("read %s: line %d: %s", path, n+1, problem)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readProfiles reads the files of a directory that MIT's library would read:
// those named by letters, digits, dash and underscore, or ending in ".conf".
func (p profile) readProfiles(dir string, level int) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		name := file.Name()
		plain := !strings.ContainsFunc(name, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
		})
		if !file.IsDir() && name[0] != '.' && (plain || strings.HasSuffix(name, ".conf")) {
			if err := p.readProfile(filepath.Join(dir, name), level); err != nil {
				return err
			}
		}
	}
	return nil
}

// readSmall reads a file of at most limit octets.
func readSmall(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is a directory")}
	}
	if info.Size() > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it is larger than %d octets", limit)}
	}
	return os.ReadFile(path)
}

// bare takes the path off an error that is about a file named already.
func bare(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}

// profileParser keeps where in a file it is.
type profileParser struct {
	p       profile
	section string
	blocks  []string // open { … }
	pending string   // a key whose { stands on the next line
}

// line takes one line and returns what is wrong with it, or "".
func (s *profileParser) line(line string) (problem string) {
	switch {
	case line[0] == '[':
		end := strings.IndexByte(line, ']')
		if end < 0 {
			return "a section's name ends with ]"
		}
		s.section, s.blocks, s.pending = strings.ToLower(strings.TrimSpace(line[1:end])), nil, ""
		return ""
	case line[0] == '}':
		if len(s.blocks) == 0 {
			return "} without {"
		}
		s.blocks = s.blocks[:len(s.blocks)-1]
		return ""
	case line == "{" && s.pending != "":
		s.blocks, s.pending = append(s.blocks, s.pending), ""
		return ""
	case s.section == "":
		return "nothing but comments and includes may stand before the first [section]"
	}
	key, value, ok := strings.Cut(line, "=")
	key, value = strings.TrimSuffix(strings.TrimSpace(key), "*"), strings.TrimSpace(value)
	if !ok || key == "" {
		return "expected key = value"
	}
	s.pending = ""
	switch {
	case value == "":
		s.pending = key
	case strings.HasPrefix(value, "{"):
		s.blocks = append(s.blocks, key)
		if strings.HasSuffix(value, "}") {
			s.blocks = s.blocks[:len(s.blocks)-1] // a block on one line: nobody writes what is needed here so
		}
	default:
		if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		path := strings.Join(append(append([]string{s.section}, s.blocks...), key), "/")
		s.p[path] = append(s.p[path], value)
	}
	return ""
}

// first returns the value that counts of a key, or "".
func (p profile) first(path string) string {
	if values := p[path]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// flag returns a boolean, or def where it is absent or no boolean.
func (p profile) flag(path string, def bool) bool {
	switch strings.ToLower(p.first(path)) {
	case "true", "t", "yes", "y", "on", "1":
		return true
	case "false", "f", "no", "n", "off", "0", "nil":
		return false
	}
	return def
}
