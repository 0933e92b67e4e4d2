using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Lockstep.Pester.Tests;

/// <summary>
/// The module's folders are layers, each a namespace: what one uses never uses it, not even by way of others. Read from the assembly, so
/// that extension methods, attributes and what the compiler makes count too.
/// </summary>
public sealed class ModuleNamespaceTests
{
    private static readonly string CmdletAssembly = Path.Combine(Repository.StagedModule, "Lockstep.PowerShell.dll");

    [Fact]
    public void Namespaces_do_not_use_one_another_in_a_circle()
    {
        var uses = Uses();
        // Each time, what uses nothing that is left is taken away; in the end a circle is what remains.
        for (var lowest = Lowest(uses); lowest.Length > 0; lowest = Lowest(uses))
        {
            foreach (var name in lowest)
                uses.Remove(name);
        }

        var left = uses.SelectMany(from =>
            from.Value.Where(use => uses.ContainsKey(use.Key)).Select(use => $"{from.Key} uses {use.Key}: {use.Value}")
        );
        Assert.Equal("", string.Join('\n', left));
    }

    [Theory]
    [InlineData("Lockstep.Errors")]
    [InlineData("Lockstep.Sessions")]
    public void The_lowest_layers_use_no_other(string name) => Assert.Empty(Uses()[name]);

    [Fact]
    public void Nothing_uses_the_cmdlets() => Assert.DoesNotContain(Uses(), from => from.Value.ContainsKey("Lockstep.Commands"));

    /// <summary>So that the tests above cannot pass by having seen nothing.</summary>
    [Fact]
    public void Uses_by_attributes_and_by_extension_methods_are_seen()
    {
        var uses = Uses();
        Assert.Contains("Lockstep.Completers", uses["Lockstep.Bases"].Keys);
        Assert.Contains("Lockstep.TestServers", uses["Lockstep.Commands"].Keys);
    }

    private static string[] Lowest(Dictionary<string, Dictionary<string, string>> uses) =>
        [.. uses.Where(from => !from.Value.Keys.Any(uses.ContainsKey)).Select(from => from.Key)];

    /// <summary>
    /// Each namespace with those that it uses, and for each of these an example: the type that uses and the one that is used.
    /// </summary>
    private static Dictionary<string, Dictionary<string, string>> Uses()
    {
        var resolver = new DefaultAssemblyResolver();
        resolver.AddSearchDirectory(AppContext.BaseDirectory);
        using var module = ModuleDefinition.ReadModule(CmdletAssembly, new ReaderParameters { AssemblyResolver = resolver });
        var uses = new Dictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);
        foreach (var type in module.Types.Where(type => type.Namespace.StartsWith("Lockstep", StringComparison.Ordinal)))
        {
            if (!uses.TryGetValue(type.Namespace, out var used))
                uses.Add(type.Namespace, used = new(StringComparer.Ordinal));
            foreach (var other in WithNested(type).SelectMany(Used).OfType<TypeReference>().SelectMany(TypeParts.Of).Select(Outermost))
            {
                var isOwn = other.Scope == module && other.Namespace.StartsWith("Lockstep", StringComparison.Ordinal);
                if (isOwn && other.Namespace != type.Namespace)
                    used.TryAdd(other.Namespace, $"{type.Name} uses {other.Name}");
            }
        }

        return uses;
    }

    private static IEnumerable<TypeDefinition> WithNested(TypeDefinition type) => type.NestedTypes.SelectMany(WithNested).Prepend(type);

    private static IEnumerable<TypeReference?> Used(TypeDefinition type) =>
        [
            type.BaseType,
            .. type.Interfaces.Select(face => face.InterfaceType),
            .. Constraints(type),
            .. Attributes(type),
            .. type.Fields.SelectMany(field => Attributes(field).Append(field.FieldType)),
            .. type.Properties.SelectMany(Attributes),
            .. type.Methods.SelectMany(Used),
        ];

    private static IEnumerable<TypeReference?> Used(MethodDefinition method) =>
        [
            .. Signature(method),
            .. Constraints(method),
            .. Attributes(method),
            .. method.Parameters.SelectMany(Attributes),
            .. method.HasBody ? method.Body.Variables.Select(variable => variable.VariableType) : [],
            .. method.HasBody ? method.Body.ExceptionHandlers.Select(handler => handler.CatchType) : [],
            .. method.HasBody ? method.Body.Instructions.SelectMany(Used) : [],
        ];

    private static IEnumerable<TypeReference?> Used(Instruction instruction) =>
        instruction.Operand switch
        {
            TypeReference type => [type],
            FieldReference field => [field.DeclaringType, field.FieldType],
            GenericInstanceMethod method => [method.DeclaringType, .. Signature(method), .. method.GenericArguments],
            MethodReference method => [method.DeclaringType, .. Signature(method)],
            _ => [],
        };

    private static IEnumerable<TypeReference> Signature(MethodReference method) =>
        method.Parameters.Select(parameter => parameter.ParameterType).Append(method.ReturnType);

    private static IEnumerable<TypeReference> Constraints(IGenericParameterProvider generic) =>
        generic.GenericParameters.SelectMany(parameter => parameter.Constraints).Select(constraint => constraint.ConstraintType);

    /// <summary>The attributes themselves, and the types that they name: the completer of a parameter.</summary>
    private static IEnumerable<TypeReference> Attributes(ICustomAttributeProvider member) =>
        member.CustomAttributes.SelectMany(attribute =>
            attribute
                .ConstructorArguments.Concat(attribute.Properties.Select(property => property.Argument))
                .Select(argument => argument.Value)
                .OfType<TypeReference>()
                .Append(attribute.AttributeType)
        );

    private static TypeReference Outermost(TypeReference type) => type.DeclaringType is { } outer ? Outermost(outer) : type;
}
