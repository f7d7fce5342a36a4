package durable

import "testing"

func TestAtLeast(t *testing.T) {
	for release, want := range map[string]bool{
		"5.8.0-generic": true, "6.1.0": true, "5.10": true, "10.0": true, "5.8-rc1": true,
		"5.7.19": false, "4.19.0": false, "3.10.0-1160.el7": false, "": false, "5": false, "x.y": false, "5.x": false,
	} {
		if got := atLeast(release, 5, 8); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
}

// The file systems of networks and of user space are not trusted with it.
func TestIsLocal(t *testing.T) {
	for kind, want := range map[int64]bool{0xef53: true, 0x58465342: true, 0x9123683e: true, 0x01021994: true,
		0x6969: false, 0x65735546: false, 0xff534d42: false, 0x2fc12fc1: false, 0: false} {
		if isLocal(kind) != want {
			t.Errorf("%#x: %v", kind, !want)
		}
	}
}
