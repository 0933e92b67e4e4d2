namespace Lockstep.Engine.Records;

/// <summary>Creates objects of a caller's own type from what a <see cref="RecordReader"/> reads.</summary>
internal interface IRecordFactory
{
    /// <summary>Creates the object for one JSON object.</summary>
    /// <param name="names">The field names. Objects with the same names in the same order come with the same instance.</param>
    /// <param name="values">
    /// One value per name, valid during the call: null, a boxed <see cref="bool"/>, <see cref="long"/>,
    /// <see cref="System.Numerics.BigInteger"/>, <see cref="double"/> or <see cref="decimal"/>, a <see cref="string"/>, an
    /// <c>object?[]</c>, or what this factory made for a nested object or a number.
    /// </param>
    /// <param name="depth">0 for the record itself, 1 for an object in one of its fields, and so on; arrays do not count.</param>
    object Create(FieldNames names, ReadOnlySpan<object?> values, int depth);

    /// <summary>Creates the object for a number with a fraction or an exponent that neither a double nor a decimal holds.</summary>
    /// <param name="text">The number as JSON has it.</param>
    object CreateNumber(string text) => text;
}
