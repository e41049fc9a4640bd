using System.Reflection;
using System.Runtime.CompilerServices;
using Mmu86.Cpu;

namespace Mmu86.Bench.Codegen;

/// <summary>A handler whose machine code is kept in <c>bench/codegen</c>.</summary>
/// <param name="Type">The type, closed.</param>
/// <param name="Method">The method's name.</param>
internal sealed record ListedHandler(Type Type, string Method)
{
    /// <summary>One or two of every kind that hot loops are made of, and one of the slow side.</summary>
    public static IReadOnlyList<ListedHandler> All { get; } =
    [
        new(typeof(Move<W64>), "Register"),
        new(typeof(MoveMemory<FilteredMemory, BaseAddress, W64>), "Load"),
        new(typeof(MoveMemory<FilteredMemory, BaseAddress, W64>), "Store"),
        new(typeof(MoveMemory<FilteredMemory, IndexedAddress, W64>), "Load"),
        new(typeof(MoveMemory<FilteredMemory, IndexedAddress, W64>), "Store"),
        new(typeof(MoveMemory<SlowMemory, BaseAddress, W64>), "Load"),
        new(typeof(AluRegister<Add, W32>), "Register"),
        new(typeof(AluMemory<FilteredMemory, BaseAddress, Add, W64>), "Load"),
        new(typeof(AluMemory<FilteredMemory, BaseAddress, Add, W64>), "Register"),
        new(typeof(FusedRegister<Cmp, W64, Unless<IfEqual>>), "Register"),
        new(typeof(Conditional<IfEqual>), "Jump"),
        new(typeof(Calls<FilteredMemory>), "Direct"),
        new(typeof(Calls<FilteredMemory>), "Return"),
        new(typeof(Stack<FilteredMemory, W64>), "PushRegister"),
        new(typeof(Stack<FilteredMemory, W64>), "PopRegister"),
    ];

    /// <summary>The file of its listing.</summary>
    public string FileName => $"{Short(Type).Replace('<', '-').Replace(",", "-").Replace(">", "")}-{Method}.asm.txt";

    /// <summary>As the JIT names it in a listing, without the parameters.</summary>
    public string JitName => $"{JitNameOf(Type)}:{Method}(";

    /// <summary>Makes the JIT compile it, as it compiles it for a guest.</summary>
    public void Compile()
    {
        MethodInfo method = Type.GetMethod(Method, BindingFlags.Static | BindingFlags.Public)
            ?? throw new MeasurementException($"There is no handler {Short(Type)}.{Method}.");
        RuntimeHelpers.PrepareMethod(method.MethodHandle, Type.IsGenericType ? [.. Type.GetGenericArguments().Select(argument => argument.TypeHandle)] : null);
    }

    private static string Short(Type type) => type.IsGenericType
        ? $"{type.Name.Split('`')[0]}<{string.Join(',', type.GetGenericArguments().Select(Short))}>"
        : type.Name;

    private static string JitNameOf(Type type) => type.IsGenericType
        ? $"{type.GetGenericTypeDefinition().FullName}[{string.Join(',', type.GetGenericArguments().Select(JitNameOf))}]"
        : type.FullName!;
}
