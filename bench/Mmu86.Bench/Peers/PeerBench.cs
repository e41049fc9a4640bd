using System.Globalization;
using Mmu86.Bench.Programs;
using Mmu86.Bench.Reporting;

namespace Mmu86.Bench.Peers;

/// <summary>The same ring-0 images in Mmu86, QEMU and Bochs, one right after the other, round after round.</summary>
/// <remarks>
/// Measured is the CPU time of the whole process, user and system, less what the same emulator takes for an image that does nothing on a
/// machine with as much memory: firmware, boot loader and page tables, and our own runtime's start, are not what is compared. Filling
/// the guest's memory and compiling code for it remain in it, for everyone.
/// </remarks>
internal sealed class PeerBench
{
    private const double LeastSeconds = 0.001;
    private const int StartUpsARound = 3;

    private readonly IReadOnlyList<Emulator> _emulators;
    private readonly IReadOnlyList<PeerImage> _images;
    private readonly PeerImage _startUp;
    private readonly TimeSpan _timeout;
    private readonly Dictionary<(Emulator, PeerImage), List<double>> _seconds = [];

    private PeerBench(IReadOnlyList<Emulator> emulators, PeerImage startUp, IReadOnlyList<PeerImage> images, TimeSpan timeout)
    {
        _emulators = emulators;
        _startUp = startUp;
        _images = images;
        _timeout = timeout;
    }

    /// <summary><c>peers --mmu86 FILE [--rounds N] [--guests a,b,c] [--timeout SECONDS] [--quick]</c>.</summary>
    public static void Run(CommandWords words, TextWriter output, TextWriter progress)
    {
        bool isQuick = words.TakeFlag("--quick");
        string mmu86 = Path.GetFullPath(words.TakeValue("--mmu86") ?? throw new UsageException("--mmu86 FILE is missing."));
        IReadOnlyList<Kernel> kernels = KernelCatalogue.Find(words.TakeValue("--guests"));
        int rounds = words.TakeNumber("--rounds", isQuick ? 1 : 3);
        var timeout = TimeSpan.FromSeconds(words.TakeNumber("--timeout", 120));
        words.End();

        double load = Computer.Load;
        DirectoryInfo folder = Directory.CreateTempSubdirectory("mmu86-peers-");
        try
        {
            var bench = new PeerBench(
                [new Mmu86Emulator(mmu86), new QemuEmulator(), new BochsEmulator()],
                PeerImage.StartUp(folder.FullName),
                [.. kernels.Select(kernel => PeerImage.Of(kernel, isQuick, folder.FullName))],
                timeout);
            for (int round = 0; round <= rounds; round++)
                bench.Measure(round, rounds, folder, progress);
            output.WriteLine($"{Computer.Describe()}; load {load:0.0} before, {Computer.Load:0.0} after; {rounds} rounds{(isQuick ? ", quick: not a measurement" : "")}");
            output.WriteLine();
            bench.Write(output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // Round 0 reads programs and files from the disk and is not measured; for that the image that does nothing is enough.
    private void Measure(int round, int rounds, DirectoryInfo folder, TextWriter progress)
    {
        IEnumerable<PeerImage> images = round == 0 ? [_startUp] : [.. Enumerable.Repeat(_startUp, StartUpsARound), .. _images];
        foreach (PeerImage image in images)
        {
            progress.WriteLine($"round {round} of {rounds}: {image.Name}");
            for (int turn = 0; turn < _emulators.Count; turn++)
            {
                Emulator emulator = _emulators[(turn + round) % _emulators.Count];
                double seconds = Measure(emulator, image, folder);
                if (round != 0)
                    _seconds.GetOrAdd((emulator, image)).Add(seconds);
            }
        }
    }

    private double Measure(Emulator emulator, PeerImage image, DirectoryInfo folder)
    {
        DirectoryInfo own = folder.CreateSubdirectory("run");
        try
        {
            (double seconds, string output) = emulator.Run(image, own.FullName, _timeout);
            return output == image.ExpectedOutput
                ? seconds
                : throw new MeasurementException($"{image.Name} in {emulator.Name} printed '{output}' and not '{image.ExpectedOutput}'.");
        }
        finally
        {
            own.Delete(recursive: true);
        }
    }

    private void Write(TextWriter output)
    {
        Emulator ours = _emulators[0];
        Emulator[] others = [.. _emulators.Skip(1)];
        var table = new MarkdownTable(
            ["kernel", .. _emulators.Select(emulator => $"{emulator.Name}, s"), .. others.Select(other => $"times as fast as {other.Name}")]);
        foreach (PeerImage image in _images)
        {
            table.Add(
            [
                $"{image.Name} {string.Join(' ', image.Arguments)}",
                .. _emulators.Select(emulator => Number(Samples.Median(Net(emulator, image)), "0.000")),
                .. others.Select(other => Number(Ratio(ours, other, image), "0.00")),
            ]);
        }

        table.Add(
        [
            "geometric mean",
            .. _emulators.Select(emulator => Number(Samples.GeometricMean(_images.Select(image => Samples.Median(Net(emulator, image)))), "0.000")),
            .. others.Select(other => Number(Samples.GeometricMean(_images.Select(image => Ratio(ours, other, image))), "0.00")),
        ]);
        table.Add(["start-up, not included above", .. _emulators.Select(emulator => Number(StartUp(emulator), "0.000")), .. others.Select(_ => "")]);
        table.Write(output);
    }

    private double StartUp(Emulator emulator) => Samples.Median(_seconds[(emulator, _startUp)]);

    private IEnumerable<double> Net(Emulator emulator, PeerImage image)
    {
        double startUp = StartUp(emulator);
        return _seconds[(emulator, image)].Select(seconds => Math.Max(seconds - startUp, LeastSeconds));
    }

    // The median of the rounds' ratios: runs that were made one right after the other are compared.
    private double Ratio(Emulator ours, Emulator other, PeerImage image) =>
        Samples.Median(Net(other, image).Zip(Net(ours, image), (their, our) => their / our));

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
