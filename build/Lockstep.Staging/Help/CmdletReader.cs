using Mono.Cecil;

namespace Lockstep.Staging.Help;

/// <summary>Reads what an assembly says of its cmdlets, in its metadata and its comments. It runs none of their code.</summary>
internal sealed class CmdletReader : IDisposable
{
    private readonly DefaultAssemblyResolver _resolver = new();
    private readonly ModuleDefinition _module;
    private readonly XmlComments _comments;

    /// <param name="assembly">The assembly; its comments lie beside it.</param>
    /// <param name="powerShell">The assembly that it takes for PowerShell's: attributes cannot be read without it.</param>
    public CmdletReader(string assembly, string powerShell)
    {
        _resolver.AddSearchDirectory(Path.GetDirectoryName(powerShell));
        _resolver.AddSearchDirectory(Path.GetDirectoryName(typeof(object).Assembly.Location));
        _module = ModuleDefinition.ReadModule(assembly, new ReaderParameters { AssemblyResolver = _resolver });
        _comments = new XmlComments(Path.ChangeExtension(assembly, ".xml"));
    }

    /// <summary>All cmdlets, by name.</summary>
    public IReadOnlyList<CmdletDescription> Read() =>
        [
            .. _module
                .Types.Where(type => AttributeOf(type, "CmdletAttribute") is not null)
                .Select(Describe)
                .OrderBy(cmdlet => cmdlet.Name, StringComparer.Ordinal),
        ];

    public void Dispose()
    {
        _module.Dispose();
        _resolver.Dispose();
    }

    private CmdletDescription Describe(TypeDefinition type)
    {
        var cmdlet = AttributeOf(type, "CmdletAttribute")!;
        var defaults = DefaultValues.Of(type);
        var own = Chain(type)
            .Reverse()
            .SelectMany(level => level.Properties)
            .Where(property => AttributesOf(property, "ParameterAttribute").Any(parameter => !Flag(parameter, "DontShow")))
            .ToArray();
        var parameters = own.Select(property => Describe(property, defaults)).ToList();
        if (Flag(cmdlet, "SupportsPaging"))
            parameters.AddRange(CommonParameters.Paging);
        if (Flag(cmdlet, "SupportsShouldProcess"))
            parameters.AddRange(CommonParameters.ShouldProcess);

        var first = Named(cmdlet, "DefaultParameterSetName") as string ?? "";
        return new CmdletDescription
        {
            Verb = (string)cmdlet.ConstructorArguments[0].Value,
            Noun = (string)cmdlet.ConstructorArguments[1].Value,
            Synopsis = _comments.Summary("T:" + type.FullName),
            Parameters = parameters,
            ParameterSets = parameters
                .SelectMany(parameter => parameter.Uses.Keys)
                .Where(set => set != ParameterDescription.AllSets)
                .Distinct()
                .DefaultIfEmpty(ParameterDescription.AllSets)
                .OrderByDescending(set => set == first)
                .ToArray(),
            Inputs =
            [
                .. own.Where(property =>
                        AttributesOf(property, "ParameterAttribute").Any(parameter => Flag(parameter, "ValueFromPipeline"))
                    )
                    .Select(property => Describe(property.PropertyType))
                    .Distinct(),
            ],
            Outputs = [.. AttributesOf(type, "OutputTypeAttribute").SelectMany(output => Outputs(output.ConstructorArguments)).Distinct()],
        };
    }

    private ParameterDescription Describe(PropertyDefinition property, IReadOnlyDictionary<string, string> defaults)
    {
        var type = property.PropertyType;
        var text = _comments.Of($"P:{property.DeclaringType.FullName}.{property.Name}");
        var choices = Choices(property, Plain(type));
        var isSwitch = type.Name == "SwitchParameter";
        return new ParameterDescription
        {
            Name = property.Name,
            Type = isSwitch ? "" : ShortName(type),
            Text = choices.Count > 0 ? $"{text} One of {string.Join(", ", choices)}." : text,
            Default =
                isSwitch ? "False"
                : defaults.GetValueOrDefault(property.Name) is { } value ? Shown(value, Plain(type))
                : FirstOf(type),
            Aliases =
            [
                .. AttributesOf(property, "AliasAttribute")
                    .SelectMany(alias => (CustomAttributeArgument[])alias.ConstructorArguments[0].Value)
                    .Select(alias => (string)alias.Value),
            ],
            TakesWildcards = AttributeOf(property, "SupportsWildcardsAttribute") is not null,
            Uses = AttributesOf(property, "ParameterAttribute")
                .ToDictionary(
                    parameter => Named(parameter, "ParameterSetName") as string ?? ParameterDescription.AllSets,
                    parameter => new ParameterUse(
                        Flag(parameter, "Mandatory"),
                        Named(parameter, "Position") as int?,
                        Flag(parameter, "ValueFromPipeline"),
                        Flag(parameter, "ValueFromPipelineByPropertyName")
                    )
                ),
        };
    }

    private IEnumerable<TypeDescription> Outputs(IEnumerable<CustomAttributeArgument> arguments) =>
        arguments.SelectMany(argument =>
            argument.Value switch
            {
                CustomAttributeArgument[] several => Outputs(several),
                TypeReference type => [Describe(type)],
                string name => [new TypeDescription(name, "")],
                _ => [],
            }
        );

    private TypeDescription Describe(TypeReference type) => new(Display(type), _comments.Summary("T:" + Plain(type).FullName));

    private static string Display(TypeReference type) => type.Namespace == "System" || type is ArrayType ? ShortName(type) : type.FullName;

    /// <summary>The names of an enumeration, or of a set that the parameter is held to.</summary>
    private static IReadOnlyList<string> Choices(PropertyDefinition property, TypeReference type) =>
        AttributeOf(property, "ValidateSetAttribute") is { } set
            ? [.. ((CustomAttributeArgument[])set.ConstructorArguments[0].Value).Select(value => (string)value.Value)]
        : type.Resolve() is { IsEnum: true } names ? [.. names.Fields.Where(field => field.IsStatic).Select(field => field.Name)]
        : [];

    /// <summary>An enumeration's first name is what it has without being given; a nullable one has none.</summary>
    private static string? FirstOf(TypeReference type) =>
        type is TypeDefinition { IsEnum: true } names ? names.Fields.First(field => field.IsStatic).Name : null;

    private static string Shown(string value, TypeReference type) =>
        type.Resolve() is { IsEnum: true } names
            ? names.Fields.FirstOrDefault(field => field.IsStatic && $"{field.Constant}" == value)?.Name ?? value
            : value;

    /// <summary>Without array and nullable.</summary>
    private static TypeReference Plain(TypeReference type) =>
        type switch
        {
            ArrayType array => Plain(array.ElementType),
            GenericInstanceType { Name: "Nullable`1" } nullable => nullable.GenericArguments[0],
            _ => type,
        };

    private static string ShortName(TypeReference type) => type is ArrayType array ? ShortName(array.ElementType) + "[]" : Plain(type).Name;

    /// <summary>The class and its bases of the same assembly, the class first.</summary>
    private static IEnumerable<TypeDefinition> Chain(TypeDefinition type)
    {
        for (var level = type; level is not null; level = level.BaseType as TypeDefinition)
            yield return level;
    }

    private static IEnumerable<CustomAttribute> AttributesOf(ICustomAttributeProvider part, string name) =>
        part.CustomAttributes.Where(attribute => attribute.AttributeType.Name == name);

    private static CustomAttribute? AttributeOf(ICustomAttributeProvider part, string name) => AttributesOf(part, name).FirstOrDefault();

    private static object? Named(CustomAttribute attribute, string name) =>
        attribute.Properties.Where(property => property.Name == name).Select(property => property.Argument.Value).FirstOrDefault();

    private static bool Flag(CustomAttribute attribute, string name) => Named(attribute, name) is true;
}
