using System.Globalization;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Lockstep.Staging.Help;

/// <summary>
/// The values that properties begin with, where the code gives a constant: <c>public int Port { get; set; } = 4567;</c> is, in the
/// constructor, a constant that is stored in the property's field.
/// </summary>
internal static class DefaultValues
{
    /// <summary>By property, for a class and its bases of the same assembly.</summary>
    public static IReadOnlyDictionary<string, string> Of(TypeDefinition type)
    {
        Dictionary<string, string> values = [];
        for (var level = type; level is not null; level = level.BaseType as TypeDefinition)
        {
            foreach (
                var instruction in level
                    .Methods.Where(method => method is { IsConstructor: true, IsStatic: false, HasBody: true })
                    .SelectMany(method => method.Body.Instructions)
            )
            {
                if (
                    instruction.OpCode.Code == Code.Stfld
                    && PropertyOf((FieldReference)instruction.Operand) is { } property
                    && Constant(instruction.Previous) is { } value
                )
                {
                    values.TryAdd(property, value);
                }
            }
        }

        return values;
    }

    private static string? PropertyOf(FieldReference field) =>
        field.Name.StartsWith('<') && field.Name.IndexOf(">k__BackingField", StringComparison.Ordinal) is > 0 and var end
            ? field.Name[1..end]
            : null;

    private static string? Constant(Instruction instruction) =>
        instruction.OpCode.Code switch
        {
            Code.Ldstr => instruction.Operand is string { Length: > 0 } text ? text : null,
            Code.Ldc_I4 or Code.Ldc_I4_S or Code.Ldc_I8 or Code.Ldc_R8 or Code.Ldc_R4 => Convert.ToString(
                instruction.Operand,
                CultureInfo.InvariantCulture
            ),
            >= Code.Ldc_I4_0 and <= Code.Ldc_I4_8 => ((int)instruction.OpCode.Code - (int)Code.Ldc_I4_0).ToString(
                CultureInfo.InvariantCulture
            ),
            Code.Ldc_I4_M1 => "-1",
            _ => null,
        };
}
