package main

import "popmigrate/internal/spool"

// What a run opens: filesOfRun by itself (ledger, lock, log, standard files),
// and for each session a connection and, for each sink, a segment or message,
// its index and a folder.
const (
	filesOfRun     = 30
	filesOfSession = 3
	filesOfSink    = 3
)

// withinFiles opens fewer sessions than the job allows where the system lets
// the process have too few open files for them.
func (m *migration) withinFiles(room *spool.Spool) {
	limit, known := openFiles()
	if !known {
		return
	}
	sinks := 0
	for i := range m.job.Job.Accounts {
		sinks = max(sinks, len(m.job.Job.Accounts[i].Sinks))
	}
	limits := m.job.Job.Limits.WithDefaults()
	sessions, temporary := shareFiles(limit, sinks)
	room.LimitFiles(temporary)
	if sessions < limits.Sessions {
		m.app.note("Warning: the limit of %d open files allows %d sessions at once, not %d; raise it with ulimit -n.", limit, sessions, limits.Sessions)
		m.job.Job.Limits.Sessions = sessions
	}
}

// shareFiles divides what open files there are among sessions with so many
// sinks each and the spool's temporary files. It never says less than one.
func shareFiles(limit uint64, sinks int) (sessions, temporary int) {
	spare := int(min(limit, 1<<20)) - filesOfRun
	temporary = min(max(spare/8, 1), 256)
	sessions = max((spare-temporary)/(filesOfSession+filesOfSink*sinks), 1)
	return sessions, temporary
}
