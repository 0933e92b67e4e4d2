# Reads the examples that documents show, and runs them: what a document says is what happens.
#
# In a document's markdown, hidden from who reads it:
#   <!-- not run: why -->     the next block is not run, and its test says why
#   <!-- before: code -->     is run before the next block

# The blocks of PowerShell in a markdown file: the heading they stand under, the code, and the output that is shown below it, if any.
function Get-DocumentBlock([string] $Path, [string] $Section) {
    $heading = ''
    $inSection = -not $Section
    $reason = ''
    $before = ''
    $lines = [System.IO.File]::ReadAllLines($Path)
    for ($i = 0; $i -lt $lines.Count; $i++) {
        switch -Regex ($lines[$i]) {
            '^## (.+)$' { $inSection = -not $Section -or $Matches[1] -eq $Section }
            '^#+ (.+)$' { $heading = $Matches[1] }
            '^<!-- not run: (.+) -->$' { $reason = $Matches[1] }
            '^<!-- before: (.+) -->$' { $before = $Matches[1] }
            '^```powershell$' {
                $start = ++$i
                while ($lines[$i] -ne '```') { $i++ }
                $code = ($lines[$start..($i - 1)]) -join "`n"
                # What follows at once, in a plain block, is the output.
                $next = $i + 1
                while ($next -lt $lines.Count -and -not $lines[$next].Trim()) { $next++ }
                $output = $null
                if ($next -lt $lines.Count -and $lines[$next] -match '^```(text)?$') {
                    $i = $start = $next + 1
                    while ($lines[$i] -ne '```') { $i++ }
                    $output = $i -gt $start ? ($lines[$start..($i - 1)]) -join "`n" : ''
                }
                if ($inSection) { @{ Title = $heading; Code = $code; Output = $output; Before = $before; Reason = $reason } }
                $reason = $before = ''
            }
        }
    }
}

# A feed with the five records of the reference feed. It says when it has nothing more.
function Start-ExampleFeed {
    $server = 123..127 | ForEach-Object { [ordered]@{ id = $_; updated_at = $_ -eq 123 ? 999 : 877 + $_; deleted_at = $null; ip = '0.0.0.0'; port = 1111 + $_ } } |
        Start-LockstepTestServer -Port 0
    $null = $server | Add-LockstepTestFault -Kind Heartbeat -Shape Object -Every 5
    $server
}

# Text that is equal where only larger figures, such as ports, times and rates, and the widths they take differ. A figure of one digit counts.
function ConvertTo-Shape([string] $Text) {
    $plain = $Text -replace '\e\[[0-9;?]*[a-zA-Z]' -replace '\r'
    (($plain -split "`n").ForEach{ (($_ -replace '\d{2,}', '#' -replace '(#[.,:-])+#', '#' -replace '-+', '-' -replace '[ \t]+', ' ').Trim()) }.Where{ $_ }) -join "`n"
}

# Ends what an example has left running.
function Stop-Example {
    Get-LockstepServer | Stop-LockstepServer
    Get-LockstepTestServer | Stop-LockstepTestServer
    Get-LockstepServer | Stop-LockstepServer
    Get-LockstepModelListener | Stop-LockstepModelListener
    Get-LockstepModel | Remove-LockstepModel
    Get-LockstepTable | Where-Object IsSession | Remove-LockstepTable
}
