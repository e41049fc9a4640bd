namespace Mmu86.Bench.Peers;

/// <summary>An emulator that runs ring-0 images to their end.</summary>
/// <param name="name">For headings.</param>
internal abstract class Emulator(string name)
{
    public string Name { get; } = name;

    /// <summary>Runs an image in an empty folder.</summary>
    /// <returns>CPU time of the whole process in seconds, and what came out of the serial port.</returns>
    /// <exception cref="MeasurementException">It does not start, does not end, or complains.</exception>
    public abstract (double CpuSeconds, string Output) Run(PeerImage image, string folder, TimeSpan timeout);

    /// <summary>Gives up where the status says that the run went wrong.</summary>
    protected void Require(bool isGood, in ChildProcess process)
    {
        if (!isGood)
            throw new MeasurementException($"{Name} ended with status {process.Status}: {process.Output}{process.Error}");
    }
}
