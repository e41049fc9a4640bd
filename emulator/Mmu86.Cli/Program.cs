using System.Runtime.InteropServices;
using Mmu86.Cli.CommandLine;

// SIGXFSZ (25 on Linux): a write beyond RLIMIT_FSIZE is to fail with an error that is told in words, not to kill the process. Never let go: the
// runtime takes signals on a thread of its own, and one that arrives behind the registration's end would kill after all.
PosixSignalRegistration ignored = PosixSignalRegistration.Create((PosixSignal)25, context => context.Cancel = true);
int status = Application.Run(args, StandardStreams.OfProcess());
GC.KeepAlive(ignored);
return status;
