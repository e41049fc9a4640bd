using System.Buffers.Binary;
using System.Text;
using Mmu86.X86;

namespace Mmu86.Loaders.Processes;

/// <summary>The bytes at the top of a new process's stack. System V ABI, AMD64 supplement, "Initial Stack and Register State".</summary>
/// <remarks>
/// <code>
/// StackEnd    8 zero bytes
///             the executable's path, environment strings, argument strings, platform, 16 random bytes
///             padding to a multiple of 16
///             auxiliary vector, ended by AT_NULL
///             envp[], 0
///             argv[], 0
/// RSP         argc
/// </code>
/// </remarks>
internal sealed class InitialStack
{
    // Linux gives arguments and environment a quarter of the stack.
    private const int MaximumBytes = (int)(ProcessLayout.StackBytes / 4);
    private const int TopZeros = 8;
    private const int RandomBytes = 16;

    private readonly List<byte[]> _strings = [];
    private ulong _stringsStart = ProcessLayout.StackEnd.Value - TopZeros;

    private InitialStack()
    {
    }

    /// <summary>RSP at the first instruction; a multiple of 16.</summary>
    public LinearAddress Pointer { get; private set; }

    /// <summary>What goes from <see cref="Pointer"/> up.</summary>
    public byte[] Bytes { get; private set; } = [];

    /// <summary>Lays out a stack.</summary>
    /// <param name="options">What the process is started with.</param>
    /// <param name="image">The entries of the auxiliary vector that depend on the image.</param>
    /// <exception cref="ImageFormatException">Arguments and environment take more than a quarter of the stack.</exception>
    public static InitialStack Build(LinuxProcessOptions options, IReadOnlyList<(AuxiliaryType Type, ulong Value)> image)
    {
        var stack = new InitialStack();
        ulong path = stack.PushString(options.ExecutablePath);
        ulong[] environment = stack.PushStrings(options.Environment);
        ulong[] arguments = stack.PushStrings(options.Arguments);
        ulong platform = stack.PushString("x86_64");
        ulong random = stack.Push(RandomFrom(options.Seed));

        var words = new List<ulong> { (ulong)arguments.Length };
        words.AddRange(arguments);
        words.Add(0);
        words.AddRange(environment);
        words.Add(0);
        Add(AuxiliaryType.HardwareCapabilities, options.HardwareCapabilities);
        Add(AuxiliaryType.PageBytes, ProcessLayout.Granularity);
        Add(AuxiliaryType.ClockTicks, 100);
        foreach ((AuxiliaryType type, ulong value) in image)
            Add(type, value);
        Add(AuxiliaryType.InterpreterBase, 0);
        Add(AuxiliaryType.Flags, 0);
        Add(AuxiliaryType.UserId, 1000);
        Add(AuxiliaryType.EffectiveUserId, 1000);
        Add(AuxiliaryType.GroupId, 1000);
        Add(AuxiliaryType.EffectiveGroupId, 1000);
        Add(AuxiliaryType.Secure, 0);
        Add(AuxiliaryType.Random, random);
        Add(AuxiliaryType.ExecutablePath, path);
        Add(AuxiliaryType.Platform, platform);
        Add(AuxiliaryType.Null, 0);
        stack.Finish(words);
        return stack;

        void Add(AuxiliaryType type, ulong value)
        {
            words.Add((ulong)type);
            words.Add(value);
        }
    }

    private ulong[] PushStrings(IReadOnlyList<string> texts)
    {
        // Pushed from the last to the first, so that they lie in order: programs that rewrite their title rely on it.
        var addresses = new ulong[texts.Count];
        for (int i = texts.Count - 1; i >= 0; i--)
            addresses[i] = PushString(texts[i]);
        return addresses;
    }

    private ulong PushString(string text) => Push([.. Encoding.UTF8.GetBytes(text), 0]);

    private ulong Push(byte[] bytes)
    {
        _strings.Add(bytes);
        _stringsStart -= (ulong)bytes.Length;
        CheckSize(ProcessLayout.StackEnd.Value - _stringsStart);
        return _stringsStart;
    }

    private void Finish(List<ulong> words)
    {
        ulong wordBytes = (ulong)words.Count * sizeof(ulong);
        CheckSize(ProcessLayout.StackEnd.Value - _stringsStart + wordBytes);
        Pointer = new LinearAddress((_stringsStart - wordBytes) & ~15UL);
        Bytes = new byte[ProcessLayout.StackEnd.Value - Pointer.Value];
        for (int i = 0; i < words.Count; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(Bytes.AsSpan(i * sizeof(ulong)), words[i]);
        int at = Bytes.Length - TopZeros;
        foreach (byte[] text in _strings)
        {
            at -= text.Length;
            text.CopyTo(Bytes, at);
        }
    }

    private static void CheckSize(ulong bytes)
    {
        if (bytes > MaximumBytes)
            throw new ImageFormatException($"The arguments and the environment take more than {MaximumBytes} bytes, a quarter of the process's stack.");
    }

    /// <summary>Two steps of SplitMix64: spreads a small seed over all bits.</summary>
    private static byte[] RandomFrom(ulong seed)
    {
        var bytes = new byte[RandomBytes];
        for (int at = 0; at < RandomBytes; at += sizeof(ulong))
        {
            seed = unchecked(seed + 0x9E37_79B9_7F4A_7C15);
            ulong mixed = seed;
            mixed = unchecked((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9);
            mixed = unchecked((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), mixed ^ (mixed >> 31));
        }

        return bytes;
    }
}
