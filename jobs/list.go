package jobs

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"popmigrate/migrate"
)

// list is an account list in CSV form.
type list struct {
	path    string // as shown
	header  []string
	index   [numColumns]int // of a known column in the header, -1 where it lacks it
	hidden  []bool          // by header index: never shown or handed on
	used    map[string]bool // unknown columns that templates refer to
	rows    []*row
	secrets bool // at least one cell holds a secret
}

// row is an account as it is listed, before the job's values fill it in. An
// account block is a row without a list.
type row struct {
	name, user, server, target, source string
	hold                               bool
	broken                             bool // a problem with it was recorded
	password                           *secret
	refresh                            *secret         // an OAuth2 refresh token
	fields                             []migrate.Field // the list's columns without secrets
	line                               int             // in the list; 0 for a block

	at    hcl.Range                  // of the row or block
	place func(column int) hcl.Range // of a cell or attribute

	plainVars, pathVars *hcl.EvalContext // see plain and encoded
}

// where names the row's place for people.
func (r *row) where() string { return r.at.Filename + ":" + strconv.Itoa(r.at.Start.Line) }

// column returns the index of a column that templates may use, or -1.
func (ls *list) column(name string) int {
	for i, header := range ls.header {
		if header == name && !ls.hidden[i] {
			return i
		}
	}
	return -1
}

// shownColumns returns the names of the columns that templates may use.
func (ls *list) shownColumns() []string {
	var names []string
	for i, header := range ls.header {
		if !ls.hidden[i] {
			names = append(names, strconv.Quote(header))
		}
	}
	return names
}

// readList reads the account list at path, whose name stands at attr in the job
// file. It returns nil where the list cannot be read at all.
func (l *loader) readList(path string, attr hcl.Range) *list {
	full := l.resolve(path)
	data, err := l.env.ReadFile(full)
	if err != nil {
		l.add(attr, "Unreadable account list", "%v.", err)
		return nil
	}
	ls := &list{path: full, used: map[string]bool{}}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		l.add(ls.at(1, 1), "Wrong encoding", "The list is in UTF-16; save it as CSV in UTF-8.")
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	reader := csv.NewReader(bytes.NewReader(data))
	reader.Comma = sniffDelimiter(data)
	reader.FieldsPerRecord = -1 // checked here, with better words
	reader.ReuseRecord = true
	if !l.readHeader(ls, reader) {
		return nil
	}
	for l.readRow(ls, reader) {
	}
	if ls.secrets {
		l.refuseReadable(full, ls.at(1, 1), "password_env or password_file columns")
	}
	return ls
}

// at returns a place in the list.
func (ls *list) at(line, column int) hcl.Range {
	pos := hcl.Pos{Line: line, Column: column}
	return hcl.Range{Filename: ls.path, Start: pos, End: pos}
}

// sniffDelimiter returns whichever of comma, semicolon and tab the header has
// most of, outside quotes.
func sniffDelimiter(data []byte) rune {
	line, _, _ := bytes.Cut(bytes.TrimLeft(data, "\r\n"), []byte("\n"))
	counts := map[byte]int{}
	quoted := false
	for _, c := range line {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte(";\t") {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return rune(best)
}

// readHeader reads the first record. It returns false where the rows cannot be
// understood without it.
func (l *loader) readHeader(ls *list, reader *csv.Reader) bool {
	record, err := reader.Read()
	if err != nil {
		l.addCSV(ls, err, "The list is empty; its first line names the columns, such as name,user,password.")
		return false
	}
	for i := range ls.index {
		ls.index[i] = -1
	}
	before := l.Len()
	// Where no cell is a column's name the header is likely missing, and this
	// is an account: then no cell is shown.
	shown := strconv.Quote
	if !slices.ContainsFunc(record, func(cell string) bool { return columnIndex(cell) >= 0 }) {
		shown = func(string) string { return "this" }
	}
	for i, cell := range record {
		ls.header = append(ls.header, strings.Clone(strings.TrimSpace(cell)))
		ls.hidden = append(ls.hidden, isSecretName(cell))
		line, column := reader.FieldPos(i)
		known := columnIndex(cell)
		switch near := nearColumn(cell); {
		case strings.Contains(cell, "\r"):
			l.add(ls.at(line, column), "Wrong line ends", "The lines end in CR alone; save the list with LF or CRLF.")
			return false
		case ls.header[i] == "" || hasControl(ls.header[i]) || !utf8.ValidString(cell):
			l.add(ls.at(line, column), "Unnamed column", "Column %d of the header has no name, or one that is not plain text.", i+1)
		case known >= 0 && ls.index[known] >= 0:
			l.add(ls.at(line, column), "Column twice", "The header names %q twice.", columnNames[known])
		case known >= 0:
			ls.index[known] = i
		case near != "":
			l.add(ls.at(line, column), "Unknown column", "%s is not a column; did you mean %q? Where not, give it a name less like it.", shown(ls.header[i]), near)
		case ls.hidden[i]:
			l.warn("%s: column %q looks like a secret; it is neither used nor copied into reports", ls.path, ls.header[i])
		default:
			for _, other := range ls.header[:i] {
				if other == ls.header[i] {
					l.add(ls.at(line, column), "Column twice", "The header names %s twice.", shown(other))
				}
			}
		}
	}
	if ls.index[colName] < 0 && ls.index[colUser] < 0 && l.Len() == before {
		l.add(ls.at(1, 1), "Missing column", "The header names neither user nor name; the first line of a list names its columns.")
	}
	return l.Len() == before
}

// warnUnused names the columns that mean nothing and that no template uses.
func (l *loader) warnUnused(ls *list) {
	var unused []string
	for i, header := range ls.header {
		if columnIndex(header) < 0 && !ls.hidden[i] && !ls.used[header] {
			unused = append(unused, strconv.Quote(header))
		}
	}
	if len(unused) > 0 {
		l.warn("%s: not used, only copied into reports: column %s", ls.path, strings.Join(unused, ", "))
	}
}

// readRow reads one record. It returns false at the end of the list and where
// the rest cannot be trusted.
func (l *loader) readRow(ls *list, reader *csv.Reader) bool {
	record, err := reader.Read()
	if err == io.EOF {
		return false
	}
	if err != nil {
		l.addCSV(ls, err, "")
		return false
	}
	line, _ := reader.FieldPos(0)
	if len(record) != len(ls.header) {
		l.add(ls.at(line, 1), "Wrong number of columns", "The row has %d columns, the header %d. A delimiter inside a value needs quotes around the value.", len(record), len(ls.header))
		return true
	}
	var places [numColumns]hcl.Pos
	for i, at := range ls.index {
		if at >= 0 {
			places[i].Line, places[i].Column = reader.FieldPos(at)
		} else {
			places[i] = hcl.Pos{Line: line, Column: 1}
		}
	}
	r := &row{line: line, at: ls.at(line, 1)}
	r.place = func(column int) hcl.Range { return ls.at(places[column].Line, places[column].Column) }
	for i, cell := range record {
		if !ls.hidden[i] {
			r.fields = append(r.fields, migrate.Field{Name: ls.header[i], Value: strings.Clone(cell)})
		} else if cell != "" {
			ls.secrets = true
		}
	}
	before := l.Len()
	l.fillRow(ls, r, record)
	r.broken = l.Len() > before
	ls.rows = append(ls.rows, r)
	return true
}

// fillRow takes the known columns of a record.
func (l *loader) fillRow(ls *list, r *row, record []string) {
	cell := func(column int) string {
		if ls.index[column] < 0 {
			return ""
		}
		text := strings.Clone(strings.TrimSpace(record[ls.index[column]]))
		if hasControl(text) || !utf8.ValidString(text) {
			l.addCell(r.place(column), columnNames[column], "Unusable characters", "The value contains control characters or is not UTF-8.")
			return ""
		}
		return text
	}
	r.name, r.user, r.server = cell(colName), cell(colUser), cell(colServer)
	r.target, r.source = cell(colTarget), cell(colSource)
	switch strings.ToLower(cell(colHold)) {
	case "", "no", "false", "0":
	case "yes", "true", "1":
		r.hold = true
	default:
		l.addCell(r.place(colHold), "hold", "Unknown word", "hold is yes or no (true, false, 1, 0; empty means no).")
	}
	raw := func(column int) string {
		if ls.index[column] < 0 {
			return ""
		}
		return strings.Clone(record[ls.index[column]])
	}
	r.password = l.rowSecret(r, colPassword, "password", raw(colPassword), cell(colPasswordEnv), cell(colPasswordFile))
	r.refresh = l.rowSecret(r, colRefresh, "refresh token", raw(colRefresh), cell(colRefreshEnv), cell(colRefreshFile))
}

// rowSecret takes a secret of the row from whichever of three columns has it:
// one for the secret itself, and behind it those for a variable and for a file.
func (l *loader) rowSecret(r *row, column int, what, value, env, file string) (s *secret) {
	given := 0
	for _, text := range []string{value, env, file} {
		if text != "" {
			given++
		}
	}
	if given > 1 {
		l.addCell(r.place(column), columnNames[column], "More than one "+what, "At most one of %s, %s and %s may be filled.",
			columnNames[column], columnNames[column+1], columnNames[column+2])
		return nil
	}
	var err error
	switch {
	case value != "":
		if err = checkSecret(value); err == nil {
			s = literal(value)
		}
		if strings.TrimSpace(value) != value {
			l.warn("%s: the %s begins or ends with a blank; it is used as it is", r.where(), what)
		}
	case env != "":
		column++
		s, err = l.envSecret(env)
	case file != "":
		column += 2
		s, err = l.fileSecret(file)
	}
	if err != nil {
		l.addCell(r.place(column), columnNames[column], "Unusable "+what, "%s", sentence(err))
	}
	return s
}

// addCSV records an error of the CSV reader, which never quotes the list.
func (l *loader) addCSV(ls *list, err error, ifEmpty string) {
	var parse *csv.ParseError
	switch {
	case err == io.EOF:
		l.add(ls.at(1, 1), "Empty account list", "%s", ifEmpty)
	case errors.As(err, &parse) && (errors.Is(err, csv.ErrQuote) || errors.Is(err, csv.ErrBareQuote)):
		l.add(ls.at(parse.Line, parse.Column), "Misplaced quote",
			"A value that contains a quote stands in quotes as a whole, and the quote is doubled: \"say \"\"hello\"\"\". The value began at line %d.", parse.StartLine)
	default:
		l.add(ls.at(1, 1), "Unreadable account list", "%v.", err)
	}
}
