using Mmu86.Lab.Reports;
using Mmu86.Lab.Sweeps.Recorded;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Sources;

/// <summary>A translation stream that was recorded before: nothing runs.</summary>
public sealed class RecordedSource : ISweepSource, IDisposable
{
    private readonly TraceFile _file;
    private StreamFileReader? _reader;
    private StreamFileEnd? _end;

    /// <summary>Reads the header.</summary>
    /// <param name="file">The recording. Not owned.</param>
    /// <exception cref="TraceException">It is none, or damaged.</exception>
    public RecordedSource(TraceFile file)
    {
        _file = file;
        _reader = Open();
        Header = _reader.Header;
    }

    /// <summary>What was recorded: the base run is in here, and can be no other.</summary>
    public StreamFileHeader Header { get; }

    /// <summary>What was recorded, not the file; the file where the sweep was ended before its end.</summary>
    public ProgramReport Program => _end?.Program ?? _file.Program;

    /// <inheritdoc/>
    public string Fingerprint => _file.Program.Sha256;

    /// <inheritdoc/>
    public bool CanRepeat => _file.CanBeReadAgain;

    /// <inheritdoc/>
    public IDisposable? Forecast(RunOptions run, Action<ulong> found) => null;

    /// <inheritdoc/>
    public SourceOutcome Produce(SourceRequest request, CancellationToken cancellation)
    {
        if (request.Runs == RecordedRuns.Strict && Header.Runs != RecordedRuns.Strict)
            throw Refused("was recorded for machines whose first levels hold the pages that the base machine's do, and this grid has others: record again with --record-strict");
        if (request.Classifies && !Header.HasSites)
            throw Refused("does not tell which lookups missed: record again with --classify");
        using StreamFileReader reader = _reader ?? Open();
        _reader = null;
        try
        {
            return Produce(reader, request, cancellation);
        }
        catch (TraceException exception)
        {
            throw Refused(exception.Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _reader?.Dispose();

    private SourceOutcome Produce(StreamFileReader reader, SourceRequest request, CancellationToken cancellation)
    {
        var chunk = new StreamChunk();
        StreamMark? last = null;
        while (reader.TryRead(chunk))
        {
            int behindMark = FindMark(chunk, ref last);
            if (behindMark > 0)
                request.Progress?.Report(last!.Instructions);

            // What marks count must be what was looked up: an early end is one.
            bool ends = behindMark > 0 && cancellation.IsCancellationRequested;
            if (ends)
                chunk.Count = behindMark;
            if (chunk.Count > 0)
                chunk = request.Sink.Exchange(chunk);
            if (ends)
            {
                return new SourceOutcome
                {
                    Instructions = (long)last!.Instructions,
                    Exit = new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.InterruptedStatus, Detail = "interrupted" },
                    Runs = Header.Runs,
                    Sites = [],
                    IsComplete = false,
                };
            }
        }

        if (last is null)
            throw new TraceException("tells of no moment of its run: the recording is not whole");
        _end = reader.End!;
        return new SourceOutcome
        {
            Instructions = _end.Instructions,
            Exit = _end.Exit,
            Runs = Header.Runs,
            StaleUses = _end.StaleUses,
            Sites = _end.Sites,
            IsComplete = true,
        };
    }

    // The position behind the last mark of a chunk; 0 where it has none.
    private static int FindMark(StreamChunk chunk, ref StreamMark? last)
    {
        int behind = 0;
        ReadOnlySpan<ulong> words = chunk.Words.AsSpan(0, chunk.Count);
        for (int position = 0; position < words.Length; position += TranslationStreamReader.Length(words[position]))
        {
            if (TranslationStreamReader.Operation(words[position]) != StreamOperation.Mark)
                continue;
            last = TranslationStreamReader.Mark(words[position..]);
            behind = position + TranslationStreamWriter.MarkWords;
        }

        return behind;
    }

    private StreamFileReader Open()
    {
        try
        {
            return new StreamFileReader(_file.Open());
        }
        catch (TraceException exception)
        {
            throw Refused(exception.Message);
        }
    }

    private TraceException Refused(string what) => new($"{_file.Name}: {what}");
}
