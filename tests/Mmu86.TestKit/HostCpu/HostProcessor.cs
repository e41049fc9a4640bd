using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace Mmu86.TestKit.HostCpu;

/// <summary>The processor that runs the tests, executing cases in a process of its own.</summary>
/// <remarks>Not for several threads at once. A few microseconds a case when they come in batches.</remarks>
public sealed class HostProcessor : IInstructionSubject, IDisposable
{
    private const ulong Handshake = 0x3155504354534f48;
    private const int MaximumBatch = 1024;
    private const ulong UserEnd = 0x0000_7FFF_FFFF_F000;
    private const ulong PresentBit = 1;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Stream _cases;
    private readonly Stream _outcomes;

    private HostProcessor(Process process)
    {
        _process = process;
        _cases = process.StandardInput.BaseStream;
        _outcomes = process.StandardOutput.BaseStream;
    }

    /// <summary>Whether the kernel lets ring 3 use RDFSBASE, WRGSBASE and their kin.</summary>
    public bool HasFsGsBase { get; private set; }

    /// <summary>Starts the helper, compiling it first where needed. Skips the calling test where there is no gcc or no x86-64.</summary>
    /// <exception cref="InvalidOperationException">The helper could not map the scratch memory.</exception>
    public static HostProcessor Start()
    {
        Skip.If(RuntimeInformation.ProcessArchitecture != Architecture.X64 || !OperatingSystem.IsLinux(), "skipped: no x86-64 Linux host");
        string program = HostProgram.Build(TestTiers.RequireProgram("gcc"));
        HostProcessor host = new(Process.Start(new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true })!);
        Span<ulong> hello = stackalloc ulong[3];
        host.ReadExactly(MemoryMarshal.AsBytes(hello));
        if (hello[0] != Handshake || hello[1] != 0)
            throw new InvalidOperationException($"The host CPU helper could not prepare its memory: error {hello[1]}.");
        host.HasFsGsBase = (hello[2] & 2) != 0;
        return host;
    }

    /// <summary>Executes many cases.</summary>
    /// <param name="cases">The cases; each starts from its own state alone.</param>
    /// <param name="results">As many results.</param>
    /// <exception cref="InvalidOperationException">The helper died or does not answer.</exception>
    public void Execute(ReadOnlySpan<InstructionCase> cases, Span<SubjectResult> results)
    {
        for (int done = 0; done < cases.Length; done += MaximumBatch)
        {
            int count = Math.Min(MaximumBatch, cases.Length - done);
            ReadOnlySpan<InstructionCase> batch = cases.Slice(done, count);
            Span<SubjectResult> answers = results.Slice(done, count);
            foreach (ref readonly InstructionCase test in batch)
                Check(test);

            ulong header = (ulong)count;
            _cases.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in header)));
            _cases.Write(MemoryMarshal.AsBytes(batch));
            _cases.Flush();
            ReadExactly(MemoryMarshal.AsBytes(answers));
            for (int i = 0; i < count; i++)
                Normalise(batch[i], ref answers[i]);
        }
    }

    /// <inheritdoc/>
    public SubjectResult Execute(in InstructionCase test)
    {
        SubjectResult result = default;
        Execute(new ReadOnlySpan<InstructionCase>(in test), new Span<SubjectResult>(ref result));
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cases.Dispose();
        if (!_process.WaitForExit(1000))
            _process.Kill();
        _process.Dispose();
    }

    private static void Check(in InstructionCase test)
    {
        bool codeFits = test.CodeLength <= CodeBuffer.Bytes && test.CodeAddress >= ScratchMemory.CodeStart
            && test.CodeAddress + test.CodeLength <= ScratchMemory.CodeStart + ScratchMemory.CodeBytes;
        bool windowFits = test.WindowAddress >= ScratchMemory.DataStart
            && test.WindowAddress + WindowBuffer.Bytes <= ScratchMemory.DataStart + ScratchMemory.DataBytes;
        if (!codeFits || !windowFits)
            throw new ArgumentException("The code or the window of a case lies outside the scratch memory.");
    }

    // Linux says "present" of every page that user programs cannot have, so as to tell them nothing. We ask for none that is.
    private static void Normalise(in InstructionCase test, ref SubjectResult result)
    {
        result.Normalise(test);
        if (result.FaultAddress >= UserEnd)
            result.ErrorCode &= ~PresentBit;
    }

    // The helper answers a batch within milliseconds; a case that loops for ever must not hang the tests.
    private void ReadExactly(Span<byte> destination)
    {
        byte[] buffer = new byte[destination.Length];
        using CancellationTokenSource patience = new(Patience);
        try
        {
            _outcomes.ReadExactlyAsync(buffer, patience.Token).AsTask().GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
            throw new InvalidOperationException("The host CPU helper does not answer: a case runs for ever.");
        }
        catch (EndOfStreamException)
        {
            _process.WaitForExit();
            throw new InvalidOperationException($"The host CPU helper ended with status {_process.ExitCode}.");
        }

        buffer.CopyTo(destination);
    }
}
