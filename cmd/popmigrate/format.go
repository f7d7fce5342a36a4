package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// number writes n with commas: 5,000.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(digits) - 3; i > start; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// counted writes n and a noun, in the plural unless n is 1.
func counted(n int64, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(stem, "a") {
			noun = stem + "ie"
		}
		noun += "s"
	}
	return number(n) + " " + noun
}

// octets writes a count of octets in the largest unit that fits.
func octets(n int64) string {
	const units = "KMGTPE"
	value, unit := float64(n), -1
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	if unit < 0 {
		return counted(n, "octet")
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

// rate writes octets per second.
func rate(n int64, over time.Duration) string {
	if over <= 0 {
		return "0 B/s"
	}
	perSecond := int64(float64(n) / over.Seconds())
	if perSecond < 1024 {
		return number(perSecond) + " B/s"
	}
	return octets(perSecond) + "/s"
}

// span writes a duration for people: 0.08 s, 9.5 s, 59 s, 4:07 min, 3:04:05 h.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return clock(d) + " min"
	}
	return clock(d) + " h"
}

// clock writes a duration as 4:07 or 3:04:05.
func clock(d time.Duration) string {
	seconds := int64(d.Round(time.Second).Seconds())
	if seconds < 3600 {
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

// seconds is a duration as reports for programs have it.
func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond).Milliseconds()) / 1000
}

// plain makes text from elsewhere (a server, a path, a user's list) fit for
// one line of a terminal: no control characters, none that steer or hide text.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
}

// capped shortens text to at most so many characters; most <= 0 means no bound.
func capped(s string, most int) string {
	if most <= 0 || utf8.RuneCountInString(s) <= most {
		return s
	}
	if most <= 3 {
		return string([]rune(s)[:most])
	}
	return string([]rune(s)[:most-3]) + "..."
}
