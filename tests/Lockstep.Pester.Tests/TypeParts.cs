using Mono.Cecil;

namespace Lockstep.Pester.Tests;

/// <summary>What a type consists of: an array's element, a generic type and its arguments; for a plain type, the type itself.</summary>
internal static class TypeParts
{
    public static IEnumerable<TypeReference> Of(TypeReference type) =>
        type switch
        {
            GenericInstanceType generic => generic.GenericArguments.SelectMany(Of).Append(generic.ElementType),
            TypeSpecification part => Of(part.ElementType),
            _ => [type],
        };
}
