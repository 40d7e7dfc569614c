"""The names that football-data.co.uk gives to teams of the first and second division of England, 1993/94 to 2026/27."""

from typing import Final

TEAMS: Final = frozenset(
    {
        *("Arsenal", "Aston Villa", "Barnsley", "Birmingham", "Blackburn", "Blackpool", "Bolton", "Bournemouth"),
        *("Bradford", "Brentford", "Brighton", "Bristol City", "Bristol Rvs", "Burnley", "Burton", "Bury", "Cardiff"),
        *("Charlton", "Chelsea", "Colchester", "Coventry", "Crewe", "Crystal Palace", "Derby", "Doncaster", "Everton"),
        *("Fulham", "Gillingham", "Grimsby", "Huddersfield", "Hull", "Ipswich", "Leeds", "Leicester", "Lincoln"),
        *("Liverpool", "Luton", "Man City", "Man United", "Middlesbrough", "Millwall", "Milton Keynes Dons"),
        *("Newcastle", "Norwich", "Nott'm Forest", "Notts County", "Oldham", "Oxford", "Peterboro", "Plymouth"),
        *("Port Vale", "Portsmouth", "Preston", "QPR", "Reading", "Rotherham", "Scunthorpe", "Sheffield United"),
        *("Sheffield Weds", "Southampton", "Southend", "Stockport", "Stoke", "Sunderland", "Swansea", "Swindon"),
        *("Tottenham", "Tranmere", "Walsall", "Watford", "West Brom", "West Ham", "Wigan", "Wimbledon", "Wolves"),
        *("Wrexham", "Wycombe", "Yeovil"),
    }
)
