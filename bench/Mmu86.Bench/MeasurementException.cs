namespace Mmu86.Bench;

/// <summary>Something that was to be measured did not do what it should.</summary>
internal sealed class MeasurementException(string message) : Exception(message);
