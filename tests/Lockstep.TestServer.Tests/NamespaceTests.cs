using Lockstep.Engine.Feed;
using Lockstep.Serving;
using Mono.Cecil;

namespace Lockstep.TestServer.Tests;

/// <summary>What the two server projects may know of each other and of themselves, read from what was compiled.</summary>
public sealed class NamespaceTests
{
    private const string Serving = "Lockstep.Serving";
    private const string TestServer = "Lockstep.TestServer";

    [Theory]
    [InlineData(Serving, 3)]
    [InlineData(TestServer, 9)]
    public void No_two_namespaces_need_each_other(string project, int namespaces)
    {
        using var module = Read(project);
        var left = NamespaceReferences(module).ToLookup(reference => reference.From, reference => reference);
        HashSet<string> remaining = [.. left.Select(group => group.Key)];
        Assert.Equal(namespaces, remaining.Count);
        // Takes away who needs nobody that is left, until nobody can go.
        while (remaining.FirstOrDefault(name => !left[name].Any(to => to.To != name && remaining.Contains(to.To))) is { } leaf)
            remaining.Remove(leaf);
        Assert.True(
            remaining.Count == 0,
            "These namespaces need each other: "
                + string.Join(
                    ", ",
                    remaining.SelectMany(name => left[name]).Where(to => to.To != to.From && remaining.Contains(to.To)).Select(to => to.Why)
                )
        );
    }

    [Fact]
    public void Serving_does_not_know_the_test_server()
    {
        using var module = Read(Serving);
        Assert.DoesNotContain(module.AssemblyReferences, reference => reference.Name == TestServer);
        Assert.DoesNotContain(module.Types, type => type.Namespace.StartsWith(TestServer, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Serving)]
    [InlineData(TestServer)]
    public void No_type_has_the_name_of_a_type_of_the_engine(string project)
    {
        using var module = Read(project);
        using var engine = ModuleDefinition.ReadModule(typeof(FeedOptions).Assembly.Location);
        Assert.Empty(Names(module).Intersect(Names(engine)));

        static IEnumerable<string> Names(ModuleDefinition of) =>
            of.Types.Where(type => type.Namespace.StartsWith("Lockstep.", StringComparison.Ordinal)).Select(type => type.Name);
    }

    private static ModuleDefinition Read(string project) =>
        ModuleDefinition.ReadModule((project == Serving ? typeof(FeedServer) : typeof(LockstepTestServer)).Assembly.Location);

    /// <summary>A namespace's use of another one, or of itself: of each namespace there is at least the latter.</summary>
    private static IEnumerable<(string From, string To, string Why)> NamespaceReferences(ModuleDefinition module)
    {
        foreach (var type in module.GetTypes().Where(type => NamespaceOf(type).StartsWith("Lockstep.", StringComparison.Ordinal)))
        {
            yield return (NamespaceOf(type), NamespaceOf(type), type.FullName);
            foreach (var used in References(type).SelectMany(Parts).Where(used => used.Scope == module))
                yield return (NamespaceOf(type), NamespaceOf(used), $"{type.FullName} -> {used.FullName}");
        }
    }

    private static IEnumerable<TypeReference?> References(TypeDefinition type) =>
        [
            type.BaseType,
            .. type.Interfaces.Select(each => each.InterfaceType),
            .. type.Fields.Select(field => field.FieldType),
            .. type.CustomAttributes.Select(attribute => attribute.AttributeType),
            .. type.GenericParameters.SelectMany(parameter => parameter.Constraints).Select(constraint => constraint.ConstraintType),
            .. type.Methods.SelectMany(References),
        ];

    private static IEnumerable<TypeReference?> References(MethodDefinition method)
    {
        IEnumerable<TypeReference?> signature = [method.ReturnType, .. method.Parameters.Select(parameter => parameter.ParameterType)];
        return !method.HasBody
            ? signature
            :
            [
                .. signature,
                .. method.Body.Variables.Select(variable => variable.VariableType),
                .. method.Body.ExceptionHandlers.Select(handler => handler.CatchType),
                .. method.Body.Instructions.SelectMany(instruction => Operand(instruction.Operand)),
            ];
    }

    private static IEnumerable<TypeReference?> Operand(object? operand) =>
        operand switch
        {
            TypeReference type => [type],
            GenericInstanceMethod method => [method.DeclaringType, method.ReturnType, .. method.GenericArguments],
            MethodReference method => [method.DeclaringType, method.ReturnType],
            FieldReference field => [field.DeclaringType, field.FieldType],
            _ => [],
        };

    /// <summary>The types that a type is made of: an array's elements, a generic's arguments.</summary>
    private static IEnumerable<TypeReference> Parts(TypeReference? type) =>
        type switch
        {
            null => [],
            GenericInstanceType generic => [generic.ElementType, .. generic.GenericArguments.SelectMany(Parts)],
            TypeSpecification made => Parts(made.ElementType),
            _ => [type],
        };

    private static string NamespaceOf(TypeReference type)
    {
        while (type.DeclaringType is { } outer)
            type = outer;
        return type.Namespace;
    }
}
