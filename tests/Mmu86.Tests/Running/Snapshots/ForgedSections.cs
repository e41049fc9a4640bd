using Mmu86.Hypervisor.Snapshots;
using Mmu86.Memory;
using Xunit;

namespace Mmu86.Tests.Running.Snapshots;

/// <summary>Sections of a snapshot, of which one has a byte that is another, under a checksum that is right.</summary>
internal static class ForgedSections
{
    /// <summary>Has forgeries read: each must be refused or do no harm.</summary>
    /// <param name="sections">The sections of a snapshot.</param>
    /// <param name="spared">Names of those that stay as they are.</param>
    /// <param name="random">Draws sections, places and bytes.</param>
    /// <param name="cases">How many forgeries.</param>
    /// <param name="read">Reads the snapshot in which the section of a number is another, and lets it run.</param>
    /// <returns>How many were refused.</returns>
    public static int Try(StateSection[] sections, string[] spared, Random random, int cases, Action<int, StateSection> read)
    {
        int[] forgeable = [.. Enumerable.Range(0, sections.Length).Where(i => !spared.Contains(sections[i].Name))];
        int refused = 0;
        for (int i = 0; i < cases; i++)
        {
            int which = forgeable[random.Next(forgeable.Length)];
            byte[] bytes = sections[which].Bytes.ToArray();
            int at = random.Next(2) == 0 ? random.Next(Math.Min(bytes.Length, 400)) : random.Next(bytes.Length);
            bytes[at] = random.Next(3) switch { 0 => 0xFF, 1 => (byte)(bytes[at] ^ (1 << random.Next(8))), _ => (byte)random.Next(256) };
            try
            {
                read(which, sections[which] with { Bytes = bytes });
            }
            catch (StateFormatException)
            {
                refused++;
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"case {i}: byte {at} of section {sections[which].Name} became 0x{bytes[at]:x}", exception);
            }
        }

        return refused;
    }
}
