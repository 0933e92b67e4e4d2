using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Lockstep.Cli.Tests;

/// <summary>
/// Which folder of a project uses which; a folder is a namespace. Read from the assembly, so that extension methods, attributes and
/// generated code count too.
/// </summary>
internal static class FolderUses
{
    /// <summary>Each folder with those it uses, and for each of these an example: the using type and the used one.</summary>
    /// <param name="project">The project's name; its assembly is beside the tests.</param>
    public static Dictionary<string, Dictionary<string, string>> Of(string project)
    {
        var known = string.Equals(project, "Lockstep.Cli", StringComparison.Ordinal) ? "lockstep" : project;
        using var resolver = new DefaultAssemblyResolver();
        resolver.AddSearchDirectory(AppContext.BaseDirectory);
        var path = Path.Combine(AppContext.BaseDirectory, known + ".dll");
        using var module = ModuleDefinition.ReadModule(path, new ReaderParameters { AssemblyResolver = resolver });

        var uses = new Dictionary<string, Dictionary<string, string>>(StringComparer.Ordinal);
        foreach (var type in module.Types.Where(IsOurs))
        {
            if (!uses.TryGetValue(FolderOf(type), out var used))
                uses.Add(FolderOf(type), used = new(StringComparer.Ordinal));
            foreach (var other in WithNested(type).SelectMany(Used).OfType<TypeReference>().SelectMany(Parts).Select(Outermost))
            {
                if (other.Scope == module && IsOurs(other) && other.Namespace != type.Namespace)
                    used.TryAdd(FolderOf(other), $"{type.Name} uses {other.Name}");
            }
        }

        return uses;

        string FolderOf(TypeReference type) =>
            type.Namespace == project ? "."
            : type.Namespace == "Lockstep" ? "Output"
            : type.Namespace[(InProject(type) ? project.Length + 1 : "Lockstep.".Length)..].Replace('.', '/');

        bool InProject(TypeReference type) => type.Namespace.StartsWith(project + ".", StringComparison.Ordinal);

        static bool IsOurs(TypeReference type) => type.Namespace.StartsWith("Lockstep", StringComparison.Ordinal);
    }

    private static IEnumerable<TypeDefinition> WithNested(TypeDefinition type) => type.NestedTypes.SelectMany(WithNested).Prepend(type);

    private static IEnumerable<TypeReference?> Used(TypeDefinition type) =>
        [
            type.BaseType,
            .. type.Interfaces.Select(implemented => implemented.InterfaceType),
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

    private static IEnumerable<TypeReference> Used(Instruction instruction) =>
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

    /// <summary>The attributes themselves, and the types they name: a parameter's completer.</summary>
    private static IEnumerable<TypeReference> Attributes(ICustomAttributeProvider member) =>
        member.CustomAttributes.SelectMany(attribute =>
            attribute
                .ConstructorArguments.Concat(attribute.Properties.Select(property => property.Argument))
                .Select(argument => argument.Value)
                .OfType<TypeReference>()
                .Append(attribute.AttributeType)
        );

    /// <summary>What a type consists of: an array of its element, a generic type of its definition and arguments.</summary>
    private static IEnumerable<TypeReference> Parts(TypeReference type) =>
        type switch
        {
            FunctionPointerType pointer => pointer.Parameters.Select(p => p.ParameterType).Append(pointer.ReturnType).SelectMany(Parts),
            GenericInstanceType generic => generic.GenericArguments.SelectMany(Parts).Append(generic.ElementType),
            TypeSpecification part => Parts(part.ElementType),
            _ => [type],
        };

    private static TypeReference Outermost(TypeReference type) => type.DeclaringType is { } outer ? Outermost(outer) : type;
}
