namespace Lockstep.Engine.Tables;

/// <summary>A whole set would empty the table, or more than halve it: that is more often a wrong answer than a true one.</summary>
public sealed class SetRefusedException : LockstepException
{
    internal SetRefusedException(string table, long swept, long rows)
        : base(
            ErrorKind.SweepRefused,
            string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"The whole set that came would remove {swept} of the {rows} records of the table '{table}', so nothing of it was applied."
            ),
            $"Check that the feed answers in full; if it does, sync once with {Term.Resync}."
        ) { }
}
