using System.Reflection;
using Mmu86.Cpu;

namespace Mmu86.Tests.Cpu;

/// <summary>The handlers of the emulator as reflection sees them.</summary>
internal static class HandlerMethods
{
    /// <summary>Every method that has the signature of handlers, of types with type parameters once each.</summary>
    public static IEnumerable<MethodInfo> WithTheirSignature() =>
        from type in typeof(Vcpu).Assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        where method.ReturnType == typeof(void) && method.GetParameters().Select(parameter => parameter.ParameterType).SequenceEqual(Signature)
        select method;

    /// <summary>The methods that the JIT compiles for themselves: handlers proper, not parts of them.</summary>
    public static IEnumerable<MethodInfo> All() => WithTheirSignature().Where(method => !method.MethodImplementationFlags.HasFlag(MethodImplAttributes.AggressiveInlining));

    /// <summary>A method's name with that of its type.</summary>
    public static string NameOf(MethodInfo method) => $"{method.DeclaringType!.Name.Split('`')[0]}.{method.Name}";

    /// <summary>The entry points of every version of a handler for the fast side. Nothing is compiled for the question.</summary>
    public static IEnumerable<nint> EntryPoints(MethodInfo handler)
    {
        Type declaring = handler.DeclaringType!;
        foreach (Type[] ofType in Choices(declaring.GetGenericArguments()))
        {
            Type closed = ofType.Length == 0 ? declaring : declaring.MakeGenericType(ofType);
            MethodInfo open = closed.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic).Single(method => method.MetadataToken == handler.MetadataToken);
            foreach (Type[] ofMethod in Choices(handler.GetGenericArguments()))
            {
                MethodInfo method = ofMethod.Length == 0 ? open : open.MakeGenericMethod(ofMethod);
                yield return method.MethodHandle.GetFunctionPointer();
            }
        }
    }

    private static readonly unsafe Type[] Signature = [typeof(CpuState*), typeof(MicroOp*), typeof(ulong), typeof(ulong), typeof(ulong), typeof(long)];

    // Every way to fill type parameters with the structs of the emulator that have no type parameters themselves.
    private static IEnumerable<Type[]> Choices(Type[] parameters)
    {
        IEnumerable<Type[]> choices = [[]];
        foreach (Type parameter in parameters)
        {
            Type[] candidates = [.. Candidates(parameter)];
            choices = choices.SelectMany(chosen => candidates.Select(candidate => (Type[])[.. chosen, candidate]));
        }

        return choices;
    }

    private static IEnumerable<Type> Candidates(Type parameter)
    {
        Type[] constraints = [.. parameter.GetGenericParameterConstraints().Where(constraint => constraint.IsInterface)];
        return typeof(Vcpu).Assembly.GetTypes().Where(type =>
            type.IsValueType && !type.IsGenericType && type != typeof(SlowMemory)
            && constraints.Length != 0 && constraints.All(constraint => constraint.IsAssignableFrom(type)));
    }
}
