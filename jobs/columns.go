package jobs

import (
	"slices"
	"strings"
)

// The columns of an account list that mean something.
const (
	colName = iota
	colUser
	colPassword
	colPasswordEnv
	colPasswordFile
	colRefresh
	colRefreshEnv
	colRefreshFile
	colServer
	colTarget
	colHold
	colSource
	numColumns
)

var columnNames = [numColumns]string{"name", "user", "password", "password_env", "password_file",
	"refresh_token", "refresh_token_env", "refresh_token_file", "server", "target", "hold", "source"}

// columnKey brings a header cell into the form that columns are known by.
func columnKey(header string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(header)))
}

// columnIndex returns the column that a header cell names, or -1.
func columnIndex(header string) int {
	return slices.Index(columnNames[:], columnKey(header))
}

// nearColumn returns the known column that a header cell was probably meant to
// name, or "". Short names tolerate one slip, longer ones two.
func nearColumn(header string) string {
	key := columnKey(header)
	for _, name := range columnNames {
		slips := 1
		if len(name) > 6 {
			slips = 2
		}
		if editDistance(key, name) <= slips {
			return name
		}
	}
	return ""
}

// secretWords occur in the names of columns and attributes that hold secrets,
// also in the languages in which lists of accounts come.
var secretWords = []string{"pass", "pwd", "secret", "token", "credential", "api_key", "apikey", "private_key",
	"kennwort", "wachtwoord", "contraseña", "contrasena", "senha", "parola", "hasło", "haslo", "heslo", "lösenord", "losenord",
	"adgangskode", "salasana", "jelszó", "jelszo", "пароль", "密码", "密碼", "パスワード", "비밀번호"}

// isSecretName tells whether a name announces a secret that must not be shown.
// Names such as password_env hold references, and token_url is none: those may be.
func isSecretName(name string) bool {
	key := columnKey(name)
	switch key {
	case columnNames[colPasswordEnv], columnNames[colPasswordFile], columnNames[colRefreshEnv], columnNames[colRefreshFile], "token_url", "token_file":
		return false
	}
	return slices.Contains(strings.Split(key, "_"), "pw") ||
		slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(key, word) })
}

// editDistance counts the letters to insert, drop, replace or swap with their
// neighbour to get from a to b.
func editDistance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
