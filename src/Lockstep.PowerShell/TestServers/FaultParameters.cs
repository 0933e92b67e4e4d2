using System.Collections;
using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Net;
using System.Security;
using Lockstep.Parameters;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Parts;

namespace Lockstep.TestServers;

/// <summary>The parameters of a kind of fault, as parameters of a cmdlet.</summary>
internal static class FaultParameters
{
    /// <summary>
    /// None before a kind is given. If there is no such kind, all parameters of all kinds, of any type, so that the command can report that
    /// the kind is wrong rather than its parameters.
    /// </summary>
    public static RuntimeDefinedParameterDictionary Of(string? kind)
    {
        RuntimeDefinedParameterDictionary parameters = [];
        if (string.IsNullOrEmpty(kind))
            return parameters;
        if (FaultKinds.All.FirstOrDefault(known => known.Name.Equals(kind, StringComparison.OrdinalIgnoreCase)) is not { } found)
        {
            foreach (var name in FaultKinds.All.SelectMany(known => known.Parameters).Select(parameter => parameter.Name))
                parameters.TryAdd(name, new RuntimeDefinedParameter(name, typeof(object), [new ParameterAttribute()]));
            return parameters;
        }

        foreach (var parameter in found.Parameters)
            parameters.Add(parameter.Name, new RuntimeDefinedParameter(parameter.Name, TypeOf(parameter.TypeName), Attributes(parameter)));
        return parameters;
    }

    /// <summary>The given parameters, in the form that the registry of faults takes.</summary>
    public static IEnumerable<KeyValuePair<string, object?>> Given(RuntimeDefinedParameterDictionary? parameters) =>
        (parameters?.Values ?? Enumerable.Empty<RuntimeDefinedParameter>())
            .Where(parameter => parameter.IsSet)
            .Select(parameter => KeyValuePair.Create(parameter.Name, Plain(parameter.Value)));

    private static Collection<Attribute> Attributes(PartParameter parameter)
    {
        Collection<Attribute> attributes = [new ParameterAttribute { HelpMessage = parameter.Description }];
        if (parameter.TypeName == nameof(TimeSpan))
            attributes.Add(new SecondsAttribute());
        if (parameter.TypeName.Contains('|', StringComparison.Ordinal))
            attributes.Add(new ValidateSetAttribute(parameter.TypeName.Split('|')));
        return attributes;
    }

    private static Type TypeOf(string name) =>
        name switch
        {
            nameof(Boolean) => typeof(SwitchParameter),
            nameof(Int32) => typeof(int),
            nameof(Int64) => typeof(long),
            nameof(TimeSpan) => typeof(TimeSpan),
            "Dictionary" => typeof(IDictionary),
            // A secret may be given as a SecureString.
            nameof(String) => typeof(object),
            _ => typeof(string),
        };

    private static object? Plain(object? value) =>
        (value is PSObject wrapped ? wrapped.BaseObject : value) switch
        {
            SwitchParameter given => given.IsPresent,
            SecureString secret => new NetworkCredential("", secret).Password,
            var other => other,
        };
}
