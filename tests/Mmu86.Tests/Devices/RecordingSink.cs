using System.Text;
using Mmu86.Devices;

namespace Mmu86.Tests.Devices;

/// <summary>Keeps what a guest sent.</summary>
internal sealed class RecordingSink : ISerialSink
{
    private readonly List<byte> _bytes = [];

    public string Text => Encoding.Latin1.GetString([.. _bytes]);

    public void Write(byte value) => _bytes.Add(value);
}
